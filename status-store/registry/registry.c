/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.c: opens registry.db, and gives access to it.
 */
#include "status-store/registry/registry.h"

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/db/migrate.h"
#include "status-store/registry/registry_rows.h"
#include "status-store/registry/registry_versions.h"

enum { READERS = 6 };
#define HELD_MOST ((msec)30 * MSEC_DAY)

/* clang-format off */
#define TABLES_1 \
        "CREATE TABLE IF NOT EXISTS tenants(name TEXT PRIMARY KEY, v INTEGER NOT NULL," \
        " rate_count INTEGER, rate_per INTEGER, burst INTEGER, max_running INTEGER," \
        " slots_version INTEGER, max_pending INTEGER, weight INTEGER, paused INTEGER," \
        " deleted INTEGER, amqp_login INTEGER, created_at INTEGER, deleted_at INTEGER," \
        " told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;" \
        "CREATE TABLE IF NOT EXISTS keys(id TEXT PRIMARY KEY, v INTEGER NOT NULL," \
        " tenant TEXT NOT NULL, sha256 BLOB NOT NULL, scopes INTEGER, expires INTEGER," \
        " revoked INTEGER, created_at INTEGER, told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;" \
        "CREATE INDEX IF NOT EXISTS keys_tenant ON keys(tenant);" \
        /* The last version of a deleted tenant: one that reuses the name goes on from it. */ \
        "CREATE TABLE IF NOT EXISTS versions(name TEXT PRIMARY KEY, v INTEGER) WITHOUT ROWID;" \
        /* Names of deleted tenants. They stay: the archive may hold their letters. */ \
        "CREATE TABLE IF NOT EXISTS former(name TEXT PRIMARY KEY) WITHOUT ROWID;"
/* clang-format on */

/* Before version 1 files had no version, and the first ones no table `former`: it is filled from
 * the versions that deleted tenants left. */
static const char unversioned_to_1[] =
        TABLES_1 "INSERT OR IGNORE INTO former SELECT name FROM versions UNION"
                 " SELECT name FROM tenants WHERE deleted = 1 AND deleted_at > 0;";

/* force_*: the limits in force while those of the row have no tokens; 0: none is known.
 * limit_versions: the last version that was used of each limit; kind: enum limit_queue.
 * token_queues: those that may exist at the broker. */
#define LIMITS_2 \
        "CREATE TABLE IF NOT EXISTS types(name TEXT PRIMARY KEY, v INTEGER NOT NULL," \
        " max_running INTEGER, slots_version INTEGER, rate_count INTEGER, rate_per INTEGER," \
        " rate_version INTEGER, created_at INTEGER, told INTEGER NOT NULL DEFAULT 0," \
        " force_running INTEGER NOT NULL DEFAULT 0, force_slots INTEGER NOT NULL DEFAULT 0," \
        " force_count INTEGER NOT NULL DEFAULT 0, force_per INTEGER NOT NULL DEFAULT 0," \
        " force_rate INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;" \
        "ALTER TABLE tenants ADD COLUMN force_running INTEGER NOT NULL DEFAULT 0;" \
        "ALTER TABLE tenants ADD COLUMN force_version INTEGER NOT NULL DEFAULT 0;" \
        "CREATE TABLE IF NOT EXISTS limit_versions(kind INTEGER, name TEXT, version INTEGER," \
        " PRIMARY KEY(kind, name)) WITHOUT ROWID;" \
        "CREATE TABLE IF NOT EXISTS token_queues(kind INTEGER, name TEXT, version INTEGER," \
        " per INTEGER, state INTEGER, stale_since INTEGER, PRIMARY KEY(kind, name, version))" \
        " WITHOUT ROWID;"

/* In the order of time, so that inserts, settles and deletes change neighbouring pages.
 * made: when the tenant was made. lease: until then; NULL: settled. taken: how many leases have
 * ended before this one. */
#define CLAIMS_3 \
        "CREATE TABLE IF NOT EXISTS claims(seq INTEGER PRIMARY KEY, tenant TEXT NOT NULL," \
        " made INTEGER NOT NULL, digest BLOB NOT NULL, hash BLOB NOT NULL, id BLOB NOT NULL," \
        " holder BLOB NOT NULL, at INTEGER NOT NULL, lease INTEGER," \
        " taken INTEGER NOT NULL DEFAULT 0, submitted_at INTEGER, run_at INTEGER," \
        " expires_at INTEGER, scheduled INTEGER);" \
        "CREATE UNIQUE INDEX IF NOT EXISTS claims_key ON claims(digest);" \
        "CREATE TABLE IF NOT EXISTS claim_counts(tenant TEXT, made INTEGER, n INTEGER NOT NULL," \
        " PRIMARY KEY(tenant, made)) WITHOUT ROWID;"

/* acts: acts that were begun, by job; each row goes with the act's last step. moved: the greatest
 * act on each job until `keep`, for messages that outlive the job's row and its mark. runs: run
 * numbers that were granted to a holder. copy: of x-copy (docs/amqp.md). kind: of an act or an
 * operation, as its file numbers them. mark_numbers: one row; no x-mark is above it. */
#define ACTS_4 \
        "ALTER TABLE tenants ADD COLUMN paused_at INTEGER;" \
        "ALTER TABLE tenants ADD COLUMN paused_by TEXT;" \
        "CREATE TABLE acts(tenant TEXT, id BLOB, kind INTEGER, run INTEGER, attempt INTEGER," \
        " copy INTEGER, run_at INTEGER, priority INTEGER, moved INTEGER, due INTEGER, by TEXT," \
        " at INTEGER, PRIMARY KEY(tenant, id)) WITHOUT ROWID;" \
        "CREATE TABLE moved(tenant TEXT, id BLOB, run INTEGER, attempt INTEGER, copy INTEGER," \
        " kind INTEGER, keep INTEGER, PRIMARY KEY(tenant, id)) WITHOUT ROWID;" \
        "CREATE INDEX moved_keep ON moved(keep);" \
        "CREATE TABLE runs(tenant TEXT, id BLOB, run INTEGER, copy INTEGER, holder BLOB," \
        " at INTEGER, PRIMARY KEY(tenant, id, run)) WITHOUT ROWID;" \
        "CREATE INDEX runs_at ON runs(at);" \
        "CREATE TABLE operations(id BLOB PRIMARY KEY, tenant TEXT, kind INTEGER, filter TEXT," \
        " state INTEGER, seq_max INTEGER, before INTEGER, cursor TEXT, copy INTEGER," \
        " bulk INTEGER, expected INTEGER, more INTEGER, done INTEGER, skipped INTEGER," \
        " failed INTEGER, looked INTEGER, error TEXT, by TEXT, at INTEGER, started INTEGER," \
        " ended INTEGER) WITHOUT ROWID;" \
        "CREATE TABLE pauses(key TEXT PRIMARY KEY, v INTEGER, paused INTEGER, at INTEGER," \
        " by TEXT, told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;" \
        "CREATE TABLE mark_numbers(one INTEGER PRIMARY KEY, reserved INTEGER NOT NULL);"

/* name: NULL: none. family: the id of the first key of a line of rotations; NULL: its own.
 * audit: administrative acts, by their id; audit_ends: their outcomes, which come later; tenant:
 * where the act did not know it. Rows of both are never changed, and not deleted for 400 days. */
#define CONTROL_4 \
        "ALTER TABLE keys ADD COLUMN name TEXT;" \
        "ALTER TABLE keys ADD COLUMN family TEXT;" \
        "ALTER TABLE keys ADD COLUMN last_used INTEGER;" \
        "ALTER TABLE keys ADD COLUMN last_from TEXT;" \
        "CREATE TABLE audit(seq INTEGER PRIMARY KEY AUTOINCREMENT, act BLOB NOT NULL UNIQUE," \
        " at INTEGER NOT NULL, by TEXT NOT NULL, key_name TEXT, key_tenant TEXT," \
        " what TEXT NOT NULL, target TEXT, tenant TEXT, origin TEXT, gateway TEXT, trace TEXT," \
        " detail TEXT);" \
        "CREATE TABLE audit_ends(act BLOB PRIMARY KEY, at INTEGER NOT NULL," \
        " status INTEGER NOT NULL, made TEXT, tenant TEXT) WITHOUT ROWID;" \
        "CREATE INDEX audit_tenant ON audit(tenant, seq);" \
        "CREATE INDEX audit_ends_tenant ON audit_ends(tenant) WHERE tenant IS NOT NULL;" \
        "CREATE INDEX audit_target ON audit(target, seq);" \
        "CREATE INDEX audit_by ON audit(by, seq);" \
        "CREATE INDEX audit_at ON audit(at);" APPEND_ONLY(audit) APPEND_ONLY(audit_ends)

#define APPEND_ONLY(table) \
        "CREATE TRIGGER " #table "_stays BEFORE UPDATE ON " #table \
        " BEGIN SELECT raise(ABORT, '" #table " is append-only'); END;" \
        "CREATE TRIGGER " #table "_kept BEFORE DELETE ON " #table \
        " WHEN OLD.at > (unixepoch() - 400 * 86400) * 1000" \
        " BEGIN SELECT raise(ABORT, '" #table " is kept 400 days'); END;"

/* Of a pause that is over: until then nothing of `moved` is deleted that it may have held. */
#define HELD_5 \
        "ALTER TABLE tenants ADD COLUMN held_until INTEGER NOT NULL DEFAULT 0;" \
        "ALTER TABLE pauses ADD COLUMN held_until INTEGER NOT NULL DEFAULT 0;"

static const struct db_step steps[] = {{.sql = unversioned_to_1},
                                       {.sql = LIMITS_2},
                                       {.sql = CLAIMS_3},
                                       {.sql = ACTS_4 CONTROL_4},
                                       {.sql = HELD_5}};

static const struct db_schema schema = {
        .tables = TABLES_1 LIMITS_2 CLAIMS_3 ACTS_4 CONTROL_4 HELD_5,
        .steps = steps,
        .version = sizeof(steps) / sizeof(steps[0]),
        .otherwise = "bring back a backup made by an earlier version"};

struct registry {
        struct writer *writer;
        struct readers *readers;
};

struct registry *registry_create(const char *path, struct err *e)
{
        AUTO(registry) r = xcalloc(1, sizeof(*r));
        AUTO_DB *db = db_open(path, DB_PRIMARY, e);
        if (db == NULL || db_migrate(db, &schema, e) != 0)
                return NULL;
        r->writer = writer_create(&db, e);
        if (r->writer == NULL)
                return NULL;
        r->readers = readers_create(path, READERS, e);
        return r->readers != NULL ? TAKE(r) : NULL;
}

void registry_destroy(struct registry **r)
{
        if (*r == NULL)
                return;
        readers_destroy(&(*r)->readers);
        writer_destroy(&(*r)->writer);
        free(*r);
        *r = NULL;
}

int registry_write(struct registry *r, write_fn *run, void *owner, struct err *e)
{
        return writer_run(r->writer, run, owner, e);
}

size_t registry_writes_waiting(struct registry *r)
{
        return writer_waiting(r->writer);
}

int registry_check(struct registry *r, struct err *e)
{
        return writer_check(r->writer, e) == 0 ? 0 : err_wrap(e, "the registry cannot be written");
}

struct reader *registry_read(struct registry *r, struct err *e)
{
        return readers_take(r->readers, e);
}

int rows_exist(struct database *db, const char *sql, const struct db_value *values, struct err *e)
{
        AUTO_RESET *find = database_query(db, sql, values, e);
        return db_step(find, e);
}

int rows_change(struct database *db, const char *sql, const struct db_value *values, struct err *e)
{
        if (database_run(db, sql, values, e) != 0)
                return -1;
        return sqlite3_changes(database_handle(db)) > 0 ? 1 : 0;
}

int rows_end_pause(struct database *db, const char *pause_ends, const char *name, struct err *e)
{
        return database_run(
                db, pause_ends,
                DB_VALUES(value_text(name), value_int(clock_wall()), value_int(HELD_MOST)), e);
}

struct change {
        const char *sql;
        const struct db_value *values;
};

static int change_rows(struct database *db, void *owner, struct err *e)
{
        const struct change *c = owner;
        return rows_change(db, c->sql, c->values, e);
}

int registry_rows_change(struct registry *r, const char *sql, const struct db_value *values,
                         struct err *e)
{
        struct change c = {.sql = sql, .values = values};
        return registry_write(r, change_rows, &c, e);
}

int registry_rows_exist(struct registry *r, const char *sql, const struct db_value *values,
                        struct err *e)
{
        AUTO_READER *reader = registry_read(r, e);
        return reader == NULL ? -1 : rows_exist(reader_database(reader), sql, values, e);
}

/* A record that was published, or that is to be published again. */
struct told {
        enum record_kind kind;
        const char *name;
        int64_t v;
        bool told;
};

static int tell_row(struct database *db, void *owner, struct err *e)
{
        const struct told *m = owner;
        const struct db_value *values =
                DB_VALUES(value_text(m->name), value_int(m->v), value_int(m->told));
        const char *sql = "UPDATE keys SET told = ?3 WHERE id = ?1 AND v = ?2";
        if (m->kind == RECORD_TENANT)
                sql = "UPDATE tenants SET told = ?3 WHERE name = ?1 AND v = ?2";
        else if (m->kind == RECORD_TYPE)
                sql = "UPDATE types SET told = ?3 WHERE name = ?1 AND v = ?2";
        else if (m->kind == RECORD_PAUSE)
                sql = "UPDATE pauses SET told = ?3 WHERE key = ?1 AND v = ?2";
        if (database_run(db, sql, values, e) != 0)
                return -1;
        return m->told ? versions_published(db, m->kind, m->name, m->v, e) : 0;
}

int registry_published(struct registry *r, enum record_kind kind, const char *name, int64_t v,
                       struct err *e)
{
        struct told m = {.kind = kind, .name = name, .v = v, .told = true};
        return registry_write(r, tell_row, &m, e);
}

int registry_is_published(struct registry *r, enum record_kind kind, const char *name,
                          struct err *e)
{
        const char *sql = "SELECT 1 FROM tenants WHERE name = ?1 AND told = 1";
        if (kind == RECORD_TYPE)
                sql = "SELECT 1 FROM types WHERE name = ?1 AND told = 1";
        else if (kind == RECORD_PAUSE)
                sql = "SELECT 1 FROM pauses WHERE key = ?1 AND told = 1";
        return registry_rows_exist(r, sql, DB_VALUES(value_text(name)), e);
}

int registry_is_in_force(struct registry *r, enum record_kind kind, const char *name, struct err *e)
{
        const char *sql =
                kind == RECORD_TYPE
                        ? "SELECT 1 FROM types WHERE name = ?1 AND told = 1 AND NOT " TYPE_NEEDS
                        : "SELECT 1 FROM tenants WHERE name = ?1 AND told = 1 AND "
                          "NOT " TENANT_NEEDS;
        return registry_rows_exist(r, sql, DB_VALUES(value_text(name)), e);
}

int registry_republish(struct registry *r, enum record_kind kind, const char *name, int64_t v,
                       struct err *e)
{
        struct told m = {.kind = kind, .name = name, .v = v};
        return registry_write(r, tell_row, &m, e);
}
