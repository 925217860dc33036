/* SPDX-License-Identifier: Apache-2.0
 *
 * migrate.c: runs the steps from a file's version to the program's.
 */
#include "common/db/migrate.h"

#include <stdio.h>

#include "common/base/log.h"

static int read_version(sqlite3 *db, const struct db_schema *schema, int *version, struct err *e)
{
        if (db_number(db, "PRAGMA user_version", version, e) != 0)
                return -1;
        if (*version <= schema->version)
                return 0;
        return err_set(e, ERR_CONFLICT,
                       "a newer Warren made it: it has version %d of its tables, and this one knows"
                       " them up to %d. Run that Warren, or %s",
                       *version, schema->version, schema->otherwise);
}

static int run_step(sqlite3 *db, const struct db_step *step, struct err *e)
{
        if (step->sql == NULL && step->run == NULL)
                return err_set(e, ERR_CORRUPT, "the file has tables but no version");
        if (step->sql != NULL && db_exec(db, step->sql, e) != 0)
                return -1;
        return step->run == NULL ? 0 : step->run(db, e);
}

static int run_steps(sqlite3 *db, const struct db_schema *schema, int from, struct err *e)
{
        for (int v = from; v < schema->version; v++) {
                if (run_step(db, &schema->steps[v], e) != 0)
                        return err_wrap(e, "migration of the tables from version %d to %d", v,
                                        v + 1);
        }
        return 0;
}

/* In a transaction. Reads the version again: another process may have migrated the file. */
static int migrate_locked(sqlite3 *db, const struct db_schema *schema, int *from, struct err *e)
{
        char set[48];
        int tables;

        if (read_version(db, schema, from, e) != 0 ||
            db_number(db, "SELECT count(*) FROM sqlite_master", &tables, e) != 0)
                return -1;
        if (tables == 0 ? db_exec(db, schema->tables, e) != 0
                        : run_steps(db, schema, *from, e) != 0)
                return -1;
        snprintf(set, sizeof(set), "PRAGMA user_version = %d", schema->version);
        if (db_exec(db, set, e) != 0 || db_exec(db, "COMMIT", e) != 0)
                return -1;
        if (tables > 0 && *from < schema->version)
                LOG_INFO("database migrated", log_text("file", sqlite3_db_filename(db, "main")),
                         log_int("from", *from), log_int("to", schema->version));
        return 0;
}

int db_migrate(sqlite3 *db, const struct db_schema *schema, struct err *e)
{
        const char *file = sqlite3_db_filename(db, "main");
        int version;

        if (read_version(db, schema, &version, e) != 0)
                return err_wrap(e, "%s", file);
        if (version == schema->version)
                return 0;
        if (db_exec(db, "BEGIN IMMEDIATE", e) == 0 && migrate_locked(db, schema, &version, e) == 0)
                return 0;
        if (!sqlite3_get_autocommit(db))
                (void)!db_exec(db, "ROLLBACK", NULL);
        return err_wrap(e, "%s", file);
}
