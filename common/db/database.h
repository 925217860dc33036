/* SPDX-License-Identifier: Apache-2.0
 *
 * database.h: an open database with the statements that were prepared on it. One thread at a time.
 */
#ifndef WARREN_DB_DATABASE_H
#define WARREN_DB_DATABASE_H

#include "common/db/db.h"

struct database;

/* Takes *handle. */
struct database *database_create(sqlite3 **handle);
void database_destroy(struct database **db);
sqlite3 *database_handle(struct database *db);
bool database_in_transaction(const struct database *db);

/* Prepared the first time that it is asked for and kept from then on, so the texts must be a fixed
 * set. Nothing is bound. Hold it in AUTO_RESET, or end it by db_run: one that still has rows to
 * give must not be asked for again. */
sqlite3_stmt *database_statement(struct database *db, const char *sql, struct err *e) MUST_CHECK;
/* Runs one that has no parameters. */
int database_run(struct database *db, const char *sql, struct err *e) MUST_CHECK;

#endif
