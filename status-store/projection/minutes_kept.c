/* SPDX-License-Identifier: Apache-2.0
 *
 * minutes_kept.c: copies rows between status.db and the file beside it.
 */
#include "status-store/projection/minutes_kept.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/db/migrate.h"
#include "status-store/projection/tally.h"

/* Tenant "*": the sum of all. */
static const char tables[] =
        "CREATE TABLE minutes(minute INTEGER, tenant TEXT, submitted INTEGER, completed INTEGER,"
        " failed INTEGER, retried INTEGER, dead INTEGER, latency BLOB, wait BLOB, duration BLOB,"
        " PRIMARY KEY(minute, tenant)) WITHOUT ROWID;"
        "CREATE TABLE counters(tenant TEXT PRIMARY KEY, submitted INTEGER, completed INTEGER,"
        " failed INTEGER, retried INTEGER, dead INTEGER) WITHOUT ROWID;"
        "CREATE TABLE saved(one INTEGER PRIMARY KEY CHECK(one = 1), clock INTEGER);";

static const struct db_step steps[] = {{0}};

static const struct db_schema schema = {
        .tables = tables,
        .steps = steps,
        .version = sizeof(steps) / sizeof(steps[0]),
        .otherwise = "move the file away: counts of the past are then lost",
};

enum { COUNTERS_COLUMNS = 1 + TALLY_COUNT, MINUTES_COLUMNS = 2 + TALLY_COUNT + TALLY_TIMES };

/* How far back a save goes that follows an end without one. */
enum { UNSAVED_MINUTES = 60 };

struct minutes_kept {
        struct store *store;
        struct database *db;
        bool is_behind; /* no save since it was opened */
};

static struct database *open_file(const char *path, struct err *e)
{
        AUTO_DB *handle = db_open(path, DB_PROJECTION, e);
        if (handle == NULL || db_migrate(handle, &schema, e) != 0)
                return NULL;
        return database_create(&handle);
}

static int set_aside(const char *path, struct err *e)
{
        static const char *const suffixes[] = {"-wal", "-shm", ""};
        AUTO_FREE char *aside = xasprintf("%s.damaged-%lld", path, (long long)clock_wall());
        for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
                AUTO_FREE char *from = xasprintf("%s%s", path, suffixes[i]);
                AUTO_FREE char *to = xasprintf("%s%s", aside, suffixes[i]);
                if (rename(from, to) != 0 && errno != ENOENT)
                        return err_set_errno(e, "%s is damaged and cannot be renamed", from);
        }
        LOG_ERROR("the copy of the statistics is damaged: it is made anew",
                  log_text("kept_as", aside));
        return 0;
}

static struct database *open_or_replace(const char *path, struct err *e)
{
        struct err why = {0};
        struct database *db = open_file(path, &why);
        if (db != NULL)
                return db;
        if (why.code != ERR_CORRUPT) {
                (void)err_set(e, why.code, "%s", why.text);
                return NULL;
        }
        return set_aside(path, e) == 0 ? open_file(path, e) : NULL;
}

/* The clock of the last save; 0: there is none; -1. */
static msec saved_clock(struct minutes_kept *k, struct err *e)
{
        AUTO_RESET *get = database_query(k->db, "SELECT clock FROM saved", NULL, e);
        int found = db_step(get, e);
        return found == 1 ? sqlite3_column_int64(get, 0) : found;
}

/* Runs `put` for each row, with its columns from `first` on as parameters from that place on;
 * parameter `tenant_at` is the row's tenant. */
struct copy {
        sqlite3_stmt *rows;
        struct database *to;
        const char *put;
        int columns, tenant_at;
        struct names *names; /* the tenant is a name, and a number there; NULL: it is a name */
};

static int bind_row(const struct copy *c, sqlite3_stmt *put, struct err *e)
{
        char name[TENANT_SIZE];
        for (int i = 0; i < c->columns; i++)
                sqlite3_bind_value(put, i + 1, sqlite3_column_value(c->rows, i));
        if (c->names == NULL)
                return 0;
        db_text(c->rows, c->tenant_at, name, sizeof(name));
        int64_t ref = name[0] == '*' ? TENANT_ALL : names_ref(c->names, name, e);
        if (ref < 0)
                return -1;
        db_bind_int(put, c->tenant_at + 1, ref);
        return 0;
}

static int copy_rows(const struct copy *c, struct err *e)
{
        int more = 0;
        while ((more = db_step(c->rows, e)) == 1) {
                sqlite3_stmt *put = database_query(c->to, c->put, NULL, e);
                if (put == NULL || bind_row(c, put, e) != 0 || db_run(put, e) != 0)
                        return -1;
        }
        return more;
}

static int restore_rows(struct minutes_kept *k, struct err *e)
{
        struct database *to = store_database(k->store);
        struct names *names = store_names(k->store);
        AUTO_RESET *minutes = database_query(
                k->db, "SELECT minute, tenant, " MINUTE_COLUMNS " FROM minutes", NULL, e);
        AUTO_RESET *counters =
                database_query(k->db, "SELECT tenant, " TALLY_COLUMNS " FROM counters", NULL, e);
        const struct copy of_minutes = {minutes,
                                        to,
                                        "INSERT INTO minutes(minute, tenant, " MINUTE_COLUMNS
                                        ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                                        MINUTES_COLUMNS,
                                        1,
                                        names};
        const struct copy of_counters = {counters,
                                         to,
                                         "INSERT INTO counters(tenant, " TALLY_COLUMNS
                                         ") VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                                         COUNTERS_COLUMNS,
                                         0,
                                         names};
        return copy_rows(&of_minutes, e) != 0 || copy_rows(&of_counters, e) != 0 ? -1 : 0;
}

static int restore(struct minutes_kept *k, msec clock, struct err *e)
{
        msec now = clock_wall();
        /* A service's clock may be far ahead: counting would stop until then. */
        struct position start = {.offset = -1, .counted = clock < now ? clock : now};
        if (store_begin(k->store, e) != 0)
                return -1;
        if (restore_rows(k, e) == 0 && store_commit(k->store, &start, e) == 0) {
                LOG_INFO("statistics of the past are taken from the file beside the new database");
                return 0;
        }
        store_rollback(k->store);
        return -1;
}

/* Nothing was ever folded into it. */
static int store_is_new(struct store *s, struct err *e)
{
        AUTO_RESET *any =
                database_query(store_database(s), "SELECT 1 FROM position LIMIT 1", NULL, e);
        int found = db_step(any, e);
        return found < 0 ? -1 : found == 0;
}

struct minutes_kept *minutes_kept_create(const char *path, struct store *store, struct err *e)
{
        AUTO_FREE char *file = xasprintf("%s.minutes", path);
        AUTO(minutes_kept) k = xcalloc(1, sizeof(*k));
        k->store = store;
        k->is_behind = true;
        k->db = open_or_replace(file, e);
        msec clock = k->db != NULL ? saved_clock(k, e) : -1;
        int is_new = clock >= 0 ? store_is_new(store, e) : -1;
        if (is_new < 0 || (is_new == 1 && clock > 0 && restore(k, clock, e) != 0))
                return NULL;
        return TAKE(k);
}

void minutes_kept_destroy(struct minutes_kept **k)
{
        if (*k == NULL)
                return;
        database_destroy(&(*k)->db);
        free(*k);
        *k = NULL;
}

#define NAMED "CASE tenant WHEN 0 THEN '*' ELSE (SELECT name FROM names WHERE ref = tenant) END"

static int save_rows(struct minutes_kept *k, int64_t from, struct err *e)
{
        struct database *db = store_database(k->store);
        AUTO_RESET *minutes = database_query(
                db, "SELECT minute, " NAMED ", " MINUTE_COLUMNS " FROM minutes WHERE minute >= ?1",
                DB_VALUES(value_int(from)), e);
        AUTO_RESET *counters =
                database_query(db, "SELECT " NAMED ", " TALLY_COLUMNS " FROM counters", NULL, e);
        const struct copy of_minutes = {
                minutes,
                k->db,
                "INSERT OR REPLACE INTO minutes(minute, tenant, " MINUTE_COLUMNS
                ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                MINUTES_COLUMNS,
                1,
                NULL};
        const struct copy of_counters = {
                counters,
                k->db,
                "INSERT INTO counters(tenant, " TALLY_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
                " ON CONFLICT DO UPDATE SET submitted = ?2, completed = ?3, failed = ?4,"
                " retried = ?5, dead = ?6 WHERE (submitted, completed, failed, retried, dead)"
                " IS NOT (?2, ?3, ?4, ?5, ?6)",
                COUNTERS_COLUMNS,
                0,
                NULL};
        return copy_rows(&of_minutes, e) != 0 || copy_rows(&of_counters, e) != 0 ? -1 : 0;
}

static int write_save(struct minutes_kept *k, int64_t from, msec clock, struct err *e)
{
        if (save_rows(k, from, e) != 0)
                return -1;
        int64_t kept = (clock_wall() - TALLY_KEPT) / MSEC_MINUTE;
        if (database_run(k->db, "DELETE FROM minutes WHERE minute < ?1", DB_VALUES(value_int(kept)),
                         e) != 0 ||
            database_run(k->db, "INSERT OR REPLACE INTO saved(one, clock) VALUES(1, ?1)",
                         DB_VALUES(value_int(clock)), e) != 0)
                return -1;
        return database_run(k->db, "COMMIT", NULL, e);
}

int minutes_kept_save(struct minutes_kept *k, int64_t oldest, struct err *e)
{
        struct position p;
        msec clock = saved_clock(k, e);
        if (clock < 0 || store_position(k->store, &p, e) != 0)
                return -1;
        /* After a rewind the stream's clock begins anew, and what is counted does not. */
        msec now = p.clock > p.counted ? p.clock : p.counted;
        int64_t before = clock / MSEC_MINUTE - UNSAVED_MINUTES;
        int64_t from = k->is_behind && before < oldest ? before : oldest;
        if (now == 0 || (from == INT64_MAX && now == clock))
                return 0;
        if (database_run(k->db, "BEGIN IMMEDIATE", NULL, e) != 0)
                return -1;
        if (write_save(k, from, now, e) == 0) {
                k->is_behind = false;
                return 0;
        }
        struct err ignored = {0};
        if (database_in_transaction(k->db) && database_run(k->db, "ROLLBACK", NULL, &ignored) != 0)
                LOG_WARN("rollback failed", log_err(&ignored));
        return -1;
}
