/* SPDX-License-Identifier: Apache-2.0
 *
 * migrations.h: gives a status.db of any earlier version the tables of schema.c. Its rows stay,
 * because the stream may no longer hold their events.
 */
#ifndef WARREN_STATUS_STORE_MIGRATIONS_H
#define WARREN_STATUS_STORE_MIGRATIONS_H

#include "common/db/db.h"

/* See db_migrate. */
int status_db_migrate(sqlite3 *db, struct err *e) MUST_CHECK;

#endif
