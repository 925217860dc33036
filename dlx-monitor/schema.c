/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c: version 2 of the archive's tables. Version 1 knew no time of a replay and not when a
 * letter was archived.
 */
#include "dlx-monitor/schema.h"

#include "common/db/db.h"

enum { SCHEMA_VERSION = 2 };

static const char from_version_1[] =
        "ALTER TABLE letters ADD COLUMN replay_run_at INTEGER;"
        "ALTER TABLE letters ADD COLUMN archived_at INTEGER NOT NULL DEFAULT 0;"
        "UPDATE letters SET archived_at = dead_at;";

/* Lists read `letters` alone; what is large lies in `contents`. */
static const char tables[] =
        "CREATE TABLE IF NOT EXISTS letters("
        " seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, burial TEXT NOT NULL UNIQUE,"
        " job_id TEXT NOT NULL, claimed_id TEXT, tenant TEXT NOT NULL, type TEXT,"
        " reason TEXT NOT NULL, error TEXT, error_kind TEXT, run INTEGER NOT NULL,"
        " attempt INTEGER NOT NULL, source TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'dead',"
        " grp TEXT NOT NULL, dead_at INTEGER NOT NULL, size INTEGER NOT NULL,"
        " exchange TEXT NOT NULL, routing_key TEXT NOT NULL, announced INTEGER NOT NULL,"
        " replaying INTEGER NOT NULL DEFAULT 0, replay_run INTEGER, replay_type TEXT,"
        " replay_priority INTEGER, replayed_at INTEGER, replay_run_at INTEGER,"
        " archived_at INTEGER NOT NULL DEFAULT 0);"
        "CREATE TABLE IF NOT EXISTS contents("
        " seq INTEGER PRIMARY KEY REFERENCES letters(seq), properties BLOB, body BLOB,"
        " edited BLOB);"
        "CREATE INDEX IF NOT EXISTS letters_tenant ON letters(tenant, id);"
        "CREATE INDEX IF NOT EXISTS letters_job ON letters(job_id);"
        "CREATE INDEX IF NOT EXISTS letters_group ON letters(state, grp);"
        "CREATE INDEX IF NOT EXISTS letters_replaying ON letters(id) WHERE replaying = 1;"
        "CREATE INDEX IF NOT EXISTS letters_silent ON letters(id) WHERE announced = 0;";

/* 0: a fresh file. */
static int read_version(sqlite3 *db, int *version, struct err *e)
{
        AUTO_STATEMENT *s = db_prepare(db, "PRAGMA user_version", e);

        if (s == NULL || db_step(s, e) != 1)
                return -1;
        *version = sqlite3_column_int(s, 0);
        if (*version > SCHEMA_VERSION)
                return err_set(e, ERR_CONFLICT,
                               "the archive has version %d; this program knows version %d",
                               *version, SCHEMA_VERSION);
        return 0;
}

int archive_schema_apply(sqlite3 *db, struct err *e)
{
        int version;

        if (read_version(db, &version, e) != 0)
                return -1;
        if (db_exec(db, "BEGIN IMMEDIATE", e) == 0 &&
            (version != 1 || db_exec(db, from_version_1, e) == 0) && db_exec(db, tables, e) == 0 &&
            db_exec(db, "PRAGMA user_version = 2", e) == 0 && db_exec(db, "COMMIT", e) == 0)
                return 0;
        if (!sqlite3_get_autocommit(db))
                (void)!db_exec(db, "ROLLBACK", NULL);
        return -1;
}
