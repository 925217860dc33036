/* SPDX-License-Identifier: Apache-2.0
 *
 * migrations.h: status.db gets the tables of schema.c, whichever version made it. Its rows stay:
 * the stream may no longer hold what made them.
 */
#ifndef WARREN_STATUS_STORE_MIGRATIONS_H
#define WARREN_STATUS_STORE_MIGRATIONS_H

#include "common/db/db.h"

/* See db_migrate. */
int status_db_migrate(sqlite3 *db, struct err *e) MUST_CHECK;

#endif
