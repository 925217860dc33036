/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c: the tables of archive.db, and the step from each version to the next.
 */
#include "dlx-monitor/schema.h"

#include "common/base/log.h"
#include "common/db/migrate.h"

/* clang-format off */

/* Lists read `letters` only; large columns are in `contents`. */
#define LETTERS \
        "CREATE TABLE letters(" \
        " seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, burial TEXT NOT NULL UNIQUE," \
        " job_id TEXT NOT NULL, claimed_id TEXT, tenant TEXT NOT NULL, type TEXT," \
        " reason TEXT NOT NULL, error TEXT, error_kind TEXT, run INTEGER NOT NULL," \
        " attempt INTEGER NOT NULL, source TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'dead'," \
        " grp TEXT NOT NULL, dead_at INTEGER NOT NULL, size INTEGER NOT NULL," \
        " exchange TEXT NOT NULL, routing_key TEXT NOT NULL, announced INTEGER NOT NULL," \
        " replaying INTEGER NOT NULL DEFAULT 0, replay_run INTEGER, replay_type TEXT," \
        " replay_priority INTEGER, replayed_at INTEGER, replay_run_at INTEGER," \
        " archived_at INTEGER NOT NULL DEFAULT 0, replay_copy INTEGER);" \
        "CREATE TABLE contents(" \
        " seq INTEGER PRIMARY KEY REFERENCES letters(seq), properties BLOB, body BLOB," \
        " edited BLOB);" \
        "CREATE INDEX letters_tenant ON letters(tenant, id);" \
        "CREATE INDEX letters_job ON letters(job_id);" \
        "CREATE INDEX letters_group ON letters(state, grp);" \
        "CREATE INDEX letters_replaying ON letters(id) WHERE replaying = 1;" \
        "CREATE INDEX letters_silent ON letters(id) WHERE announced = 0;"

/* letters_age finds what is due. `warnings`: at told_at, users were warned that letters archived
 * before `before` will be deleted. `usage`: the bytes of each tenant's letters. A step has this
 * text: it stays as it is, and a later version gets another. */
#define RETENTION_3 \
        "CREATE INDEX IF NOT EXISTS letters_age ON letters(tenant, state = 'dead'," \
        " coalesce(replayed_at, archived_at));" \
        "CREATE TABLE IF NOT EXISTS warnings(told_at INTEGER PRIMARY KEY," \
        " before INTEGER NOT NULL);" \
        "CREATE TABLE IF NOT EXISTS usage(tenant TEXT PRIMARY KEY, bytes INTEGER NOT NULL)" \
        " WITHOUT ROWID;" \
        "CREATE TRIGGER IF NOT EXISTS contents_put AFTER INSERT ON contents BEGIN" \
        " INSERT INTO usage(tenant, bytes)" \
        " SELECT tenant, " CONTENT_BYTES("NEW") " FROM letters WHERE seq = NEW.seq" \
        " ON CONFLICT(tenant) DO UPDATE SET bytes = bytes + excluded.bytes;" \
        " END;" \
        "CREATE TRIGGER IF NOT EXISTS contents_edited AFTER UPDATE OF edited ON contents BEGIN" \
        " UPDATE usage SET bytes = bytes - " CONTENT_BYTES("OLD") " + " CONTENT_BYTES("NEW") \
        " WHERE tenant = (SELECT tenant FROM letters WHERE seq = NEW.seq);" \
        " END;" \
        "CREATE TRIGGER IF NOT EXISTS contents_gone BEFORE DELETE ON contents BEGIN" \
        " UPDATE usage SET bytes = bytes - " CONTENT_BYTES("OLD") \
        " WHERE tenant = (SELECT tenant FROM letters WHERE seq = OLD.seq);" \
        " END;"

/* Version 1 had no run_at of a replay and no archived_at. */
static const char from_1[] =
        "ALTER TABLE letters ADD COLUMN replay_run_at INTEGER;"
        "ALTER TABLE letters ADD COLUMN archived_at INTEGER NOT NULL DEFAULT 0;"
        "UPDATE letters SET archived_at = dead_at;";

/* A file of version 2 has all that RETENTION_3 makes, some of it, or nothing. */
static const char from_2[] =
        RETENTION_3
        "INSERT INTO usage(tenant, bytes)"
        " SELECT l.tenant, sum(" CONTENT_BYTES("c") ")"
        " FROM letters AS l JOIN contents AS c ON c.seq = l.seq"
        " WHERE NOT EXISTS (SELECT 1 FROM usage) GROUP BY l.tenant;";

/* Copies of replays are numbered by the primary. */
static const char from_3[] = "ALTER TABLE letters ADD COLUMN replay_copy INTEGER;";

/* clang-format on */

static const struct db_step steps[] = {
        [0] = {0}, /* there is no file without a version */
        [1] = {.sql = from_1},
        [2] = {.sql = from_2},
        [3] = {.sql = from_3},
};

static const struct db_schema schema = {.tables = LETTERS RETENTION_3,
                                        .steps = steps,
                                        .version = sizeof(steps) / sizeof(steps[0]),
                                        .otherwise =
                                                "bring back a backup made by an earlier version"};

/* Rewrites a file of an earlier version once, so that it can shrink. If the disk has no room for
 * that, the file is used as it is. */
static void make_shrinkable(sqlite3 *db)
{
        struct err e = {0};
        int kind;

        if (db_number(db, "PRAGMA auto_vacuum", &kind, NULL) == 0 &&
            kind == AUTO_VACUUM_INCREMENTAL)
                return;
        LOG_INFO("rewriting the archive, so that it can shrink");
        if (db_exec(db, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM;", &e) != 0)
                LOG_WARN("the archive cannot be rewritten to shrink; the next start tries again",
                         log_err(&e));
}

int archive_schema_apply(sqlite3 *db, struct err *e)
{
        if (db_migrate(db, &schema, e) != 0)
                return -1;
        make_shrinkable(db);
        return 0;
}
