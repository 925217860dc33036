/* SPDX-License-Identifier: Apache-2.0
 *
 * migrate.h: brings a database to the program's version of its tables. The version is in SQLite's
 * user_version; a table of steps leads from each version to the next.
 */
#pragma once

#include "common/db/db.h"

/* Runs sql, then run; either may be NULL. Never change a released step, nor use a text in it that
 * may change later. */
struct db_step {
        const char *sql;
        int (*run)(sqlite3 *db, struct err *e);
};

struct db_schema {
        const char *tables;          /* SQL for a new file */
        const struct db_step *steps; /* steps[v] leads from version v to v + 1 */
        int version;                 /* the number of steps */
        /* For the error text: the alternative to running the later version that made the file. */
        const char *otherwise;
};

/* Runs in one transaction: a failure leaves the file unchanged. A file with tables but version 0 is
 * older than versions: steps[0] converts it; if that is empty: ERR_CORRUPT. ERR_CONFLICT: a later
 * version made the file. Blocks while the steps run. */
int db_migrate(sqlite3 *db, const struct db_schema *schema, struct err *e) MUST_CHECK;
