/* SPDX-License-Identifier: Apache-2.0
 *
 * store.c: writes status.db.
 */
#include "status-store/projection/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define START(column, declaration, kind, member) COLUMN_OF(struct start, kind, member)
#define POSITION(column, declaration, kind, member) COLUMN_OF(struct position, kind, member)
static const struct column start_members[] = {START_MEMBERS(START)};
static const struct column position_members[] = {POSITION_MEMBERS(POSITION)};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct store {
        struct database *db;
        struct names *names;
};

/* Fails when a table is missing, which would be noticed only when it is written. */
static const char tables_are_there_sql[] =
        "SELECT 1 FROM jobs, bodies, others, attempts, starts, names, finds, counts, counters,"
        " minutes, type_minutes, workers LIMIT 0";

static int store_open_tables(struct store *s, const char *path, struct err *e)
{
        struct position p;
        AUTO_DB *handle = db_open(path, DB_PROJECTION, e);
        if (handle == NULL || status_db_migrate(handle, e) != 0 ||
            db_exec(handle, tables_are_there_sql, e) != 0)
                return -1;
        s->db = database_create(&handle);
        s->names = names_create(s->db);
        return store_position(s, &p, e); /* a damaged file may fail here first */
}

/* Renames a damaged file: its rows may be all that is left of old jobs. WAL files first: the new
 * file must not find them. */
static int set_aside(const char *path, const struct err *why, struct err *e)
{
        static const char *const suffixes[] = {"-wal", "-shm", ""};
        AUTO_FREE char *aside = xasprintf("%s.damaged-%lld", path, (long long)clock_wall());
        for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
                AUTO_FREE char *from = xasprintf("%s%s", path, suffixes[i]);
                AUTO_FREE char *to = xasprintf("%s%s", aside, suffixes[i]);
                if (rename(from, to) != 0 && errno != ENOENT)
                        return err_set_errno(e, "%s is damaged and cannot be renamed", from);
        }
        LOG_ERROR("status database damaged: it is rebuilt from what the stream holds",
                  log_text("path", path), log_text("kept_as", aside), log_err(why));
        return 0;
}

struct store *store_create(const char *path, struct err *e)
{
        AUTO(store) s = xcalloc(1, sizeof(*s));
        struct err why = {0};
        if (store_open_tables(s, path, &why) == 0)
                return TAKE(s);
        if (why.code != ERR_CORRUPT) {
                (void)err_set(e, why.code, "%s", why.text);
                return NULL;
        }
        store_destroy(&s);
        if (set_aside(path, &why, e) != 0)
                return NULL;
        s = xcalloc(1, sizeof(*s));
        if (store_open_tables(s, path, e) != 0)
                return NULL;
        return TAKE(s);
}

void store_destroy(struct store **s)
{
        if (*s == NULL)
                return;
        names_destroy(&(*s)->names);
        database_destroy(&(*s)->db);
        free(*s);
        *s = NULL;
}

struct database *store_database(struct store *s)
{
        return s->db;
}

struct names *store_names(struct store *s)
{
        return s->names;
}

int store_begin(struct store *s, struct err *e)
{
        return database_run(s->db, "BEGIN IMMEDIATE", NULL, e);
}

int store_commit(struct store *s, const struct position *p, struct err *e)
{
        sqlite3_stmt *put = database_query(
                s->db,
                "INSERT OR REPLACE INTO position(one" POSITION_MEMBERS(
                        COLUMN_NAMED) ") VALUES(1" POSITION_MEMBERS(COLUMN_PLACE) ")",
                NULL, e);
        if (put == NULL)
                return -1;
        columns_bind(put, 1, position_members, COUNT(position_members), p);
        if (db_run(put, e) != 0)
                return -1;
        return database_run(s->db, "COMMIT", NULL, e);
}

void store_rollback(struct store *s)
{
        struct err ignored = {0};
        if (database_in_transaction(s->db) && database_run(s->db, "ROLLBACK", NULL, &ignored) != 0)
                LOG_WARN("rollback failed", log_err(&ignored));
        /* Names inserted by the transaction are gone. */
        names_forget(s->names);
}

int store_position(struct store *s, struct position *p, struct err *e)
{
        *p = (struct position){0};
        AUTO_RESET *get = database_query(
                s->db, "SELECT one" POSITION_MEMBERS(COLUMN_NAMED) " FROM position", NULL, e);
        int found = db_step(get, e);
        if (found != 1)
                return found;
        columns_read(get, 1, position_members, COUNT(position_members), p);
        p->known = p->offset >= 0;
        return 0;
}

int store_rewind(struct store *s, struct err *e)
{
        struct position p;
        if (store_position(s, &p, e) != 0 || store_begin(s, e) != 0)
                return -1;
        /* A service's clock may be far ahead: counting would stop until then. */
        msec now = clock_wall();
        msec counted = p.clock < now ? p.clock : now;
        struct position start = {.offset = -1,
                                 .rebuilds = p.rebuilds + 1,
                                 .base = p.base + (p.known ? p.offset + 1 : 0),
                                 .counted = counted > p.counted ? counted : p.counted};
        if (store_commit(s, &start, e) != 0) {
                store_rollback(s);
                return -1;
        }
        return 0;
}

int store_find(struct store *s, int64_t tenant, const unsigned char id[ID_SIZE],
               struct stored_job *job, struct err *e)
{
        AUTO_RESET *find = database_query(
                s->db,
                "SELECT " JOB_COLUMNS ", j.history FROM jobs j WHERE j.id = ?1 AND j.tenant = ?2",
                DB_VALUES(value_blob(bytes_of(id, ID_SIZE)), value_int(tenant)), e);
        int found = db_step(find, e);
        if (found != 1)
                return found;
        buffer_set(&job->history, db_bytes(find, JOB_COLUMN_COUNT));
        return stored_job_read(find, job, e) != 0 ? -1 : 1;
}

int store_insert(struct store *s, int64_t tenant, const unsigned char id[ID_SIZE],
                 const struct stored_job *job, int64_t type, struct err *e)
{
        unsigned char keys[KEYS_SIZE];
        sqlite3_stmt *insert = database_query(
                s->db,
                "INSERT INTO jobs(seq, id, tenant, type, history, others, keys" JOB_MEMBERS(
                        COLUMN_NAMED)
                        FACTS_MEMBERS(COLUMN_NAMED) ") VALUES(?, ?, ?, ?, ?, ?, ?" JOB_MEMBERS(
                                COLUMN_PLACE) FACTS_MEMBERS(COLUMN_PLACE) ")",
                DB_VALUES(value_int(job->seq), value_blob(bytes_of(id, ID_SIZE)), value_int(tenant),
                          value_int_or_null(type), value_blob(buffer_bytes(&job->history))),
                e);
        if (insert == NULL)
                return -1;
        stored_job_bind(insert, 6, job, keys);
        return db_run(insert, e);
}

int store_update(struct store *s, const struct stored_job *job, int64_t type, struct err *e)
{
        unsigned char keys[KEYS_SIZE];
        sqlite3_stmt *update = database_query(
                s->db,
                "UPDATE jobs SET type = ?2, history = ?3, others = ?, keys = ?" JOB_MEMBERS(
                        COLUMN_SET) FACTS_MEMBERS(COLUMN_SET) " WHERE seq = ?1",
                DB_VALUES(value_int(job->seq), value_int_or_null(type),
                          value_blob(buffer_bytes(&job->history))),
                e);
        if (update == NULL)
                return -1;
        stored_job_bind(update, 4, job, keys);
        return db_run(update, e);
}

int store_put_find(struct store *s, int64_t seq, const struct find *f, struct err *e)
{
        return database_run(s->db,
                            "INSERT OR REPLACE INTO finds(seq, trace, key) VALUES(?1, ?2, ?3)",
                            DB_VALUES(value_int(seq), value_int_or_null((int64_t)f->trace),
                                      value_int_or_null((int64_t)f->key)),
                            e);
}

int store_date(struct store *s, msec first, struct err *e)
{
        if (database_run(s->db,
                         "UPDATE jobs SET told = ?1, earliest = min(ifnull(earliest, ?1), ?1),"
                         " created = min(ifnull(nullif(born, 0), ?1), ifnull(earliest, ?1), ?1),"
                         " finished_at = CASE WHEN state = ?2 THEN ifnull(finished_at, ?1)"
                         " ELSE finished_at END WHERE told = 0",
                         DB_VALUES(value_int(first), value_int(STATUS_DEAD)), e) != 0)
                return -1;
        return database_run(
                s->db, "UPDATE attempts SET ended_at = ?1 WHERE ended_at IS NULL AND outcome = ?2",
                DB_VALUES(value_int(first), value_int(ATTEMPT_DEAD)), e);
}

int store_put_payloads(struct store *s, const struct job_facts *all, struct err *e)
{
        for (const struct job_facts *f = all; f != NULL; f = f->next) {
                if (f->payload.length > 0 &&
                    database_run(
                            s->db, "INSERT OR REPLACE INTO bodies(place, payload) VALUES(?1, ?2)",
                            DB_VALUES(value_int(f->first), value_blob(buffer_bytes(&f->payload))),
                            e) != 0)
                        return -1;
        }
        return 0;
}

int store_drop_payloads(struct store *s, int64_t seq, struct err *e)
{
        return database_run(s->db, delete_bodies_sql, DB_VALUES(value_int(seq)), e);
}

int store_load_others(struct store *s, int64_t seq, struct job_facts **all, struct err *e)
{
        AUTO_RESET *each = database_query(
                s->db, "SELECT " OTHER_COLUMNS " FROM others WHERE seq = ?1 ORDER BY first",
                DB_VALUES(value_int(seq)), e);
        int more = 0;
        while ((more = db_step(each, e)) == 1) {
                struct job_facts *f = other_read(each, e);
                if (f == NULL)
                        return -1;
                LL_APPEND(*all, f);
        }
        return more;
}

static int put_other(struct store *s, int64_t seq, const struct job_facts *f, struct err *e)
{
        unsigned char keys[KEYS_SIZE];
        sqlite3_stmt *put = database_query(s->db,
                                           "INSERT INTO others(seq, " OTHER_COLUMNS
                                           ") VALUES(?, ?, ?" FACTS_MEMBERS(COLUMN_PLACE) ")",
                                           DB_VALUES(value_int(seq)), e);
        if (put == NULL)
                return -1;
        other_bind(put, 2, f, keys);
        return db_run(put, e);
}

int store_put_others(struct store *s, int64_t seq, const struct job_facts *others, struct err *e)
{
        if (database_run(s->db, "DELETE FROM others WHERE seq = ?1", DB_VALUES(value_int(seq)),
                         e) != 0)
                return -1;
        for (const struct job_facts *f = others; f != NULL; f = f->next)
                if (put_other(s, seq, f, e) != 0)
                        return -1;
        return 0;
}

int store_each_attempt(struct store *s, int64_t seq, attempt_fn *each, void *owner, struct err *e)
{
        AUTO_RESET *all =
                database_query(s->db, "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE seq = ?1",
                               DB_VALUES(value_int(seq)), e);
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                AUTO_ATTEMPT_ROW a = {0};
                if (attempt_read(all, &a, e) != 0)
                        return -1;
                each(owner, &a);
        }
        return more;
}

int store_put_attempt(struct store *s, int64_t seq, const struct attempt_row *a, struct err *e)
{
        unsigned char keys[KEYS_SIZE];
        sqlite3_stmt *put = database_query(s->db,
                                           "INSERT OR REPLACE INTO attempts(seq, " ATTEMPT_COLUMNS
                                           ") VALUES(?, ?" ATTEMPT_MEMBERS(COLUMN_PLACE) ")",
                                           DB_VALUES(value_int(seq)), e);
        if (put == NULL)
                return -1;
        attempt_bind(put, 2, a, keys);
        return db_run(put, e);
}

int store_put_start(struct store *s, int64_t seq, const struct start *start, struct err *e)
{
        sqlite3_stmt *put =
                database_query(s->db,
                               "INSERT OR IGNORE INTO starts(seq" START_MEMBERS(
                                       COLUMN_NAMED) ") VALUES(?" START_MEMBERS(COLUMN_PLACE) ")",
                               DB_VALUES(value_int(seq)), e);
        if (put == NULL)
                return -1;
        columns_bind(put, 2, start_members, COUNT(start_members), start);
        return db_run(put, e);
}

int store_forget_attempts(struct store *s, int64_t seq, int64_t run, struct err *e)
{
        const struct db_value *seq_run = DB_VALUES(value_int(seq), value_int(run));
        if (database_run(s->db, "DELETE FROM attempts WHERE seq = ?1 AND run <= ?2", seq_run, e) !=
            0)
                return -1;
        return database_run(s->db, "DELETE FROM starts WHERE seq = ?1 AND run <= ?2", seq_run, e);
}

int store_put_worker(struct store *s, struct bytes worker, msec at, const char *state,
                     struct bytes record, struct err *e)
{
        return database_run(s->db,
                            "INSERT INTO workers(worker, at, state, raw) VALUES(?1, ?2, ?3, ?4)"
                            " ON CONFLICT(worker) DO UPDATE SET at = excluded.at,"
                            " state = excluded.state, raw = excluded.raw WHERE excluded.at >= at",
                            DB_VALUES(value_string(worker), value_int(at), value_text(state),
                                      value_blob(record)),
                            e);
}
