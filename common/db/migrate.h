/* SPDX-License-Identifier: Apache-2.0
 *
 * migrate.h: a database gets the tables that the program knows. Its version is SQLite's
 * user_version; a table of steps leads from each version to the next.
 */
#ifndef WARREN_DB_MIGRATE_H
#define WARREN_DB_MIGRATE_H

#include "common/db/db.h"

/* Its SQL, then its function; either may be NULL. A step that has been released stays as it is: it
 * names no text that goes on changing. */
struct db_step {
        const char *sql;
        int (*run)(sqlite3 *db, struct err *e);
};

struct db_schema {
        const char *tables;          /* of a new file */
        const struct db_step *steps; /* steps[v] leads from version v to v + 1 */
        int version;                 /* so many steps there are */
        /* What to do with a file of a later version, other than to run the program that made it. */
        const char *otherwise;
};

/* In one transaction: a failure leaves the file as it was. Version 0 with tables is a file from
 * before it had versions; ERR_CORRUPT when steps[0] is empty. ERR_CONFLICT: a later version made
 * the file, which is not touched. Blocks for as long as the steps take. */
int db_migrate(sqlite3 *db, const struct db_schema *schema, struct err *e) MUST_CHECK;

#endif
