/* SPDX-License-Identifier: Apache-2.0
 *
 * readers.h: a few read-only connections to one database, lent to the threads that answer requests.
 * Each loan is one snapshot, which has all that was committed before it; nobody waits for a writer.
 * A loan must be short, for a long read keeps the log from being reused.
 */
#pragma once

#include "common/db/database.h"

struct readers;
struct reader;

/* The file must be there. */
struct readers *readers_create(const char *path, unsigned count, struct err *e) MUST_CHECK;
/* Every reader must have been given back. Close it before the connection that writes: the last one
 * to be closed removes the log, which a reader cannot. */
void readers_destroy(struct readers **r);

/* Waits for a free one, at most 5 s (ERR_UNAVAILABLE). Any thread. */
struct reader *readers_take(struct readers *r, struct err *e) MUST_CHECK;
/* The same, at most `wait` ms. */
struct reader *readers_take_within(struct readers *r, msec wait, struct err *e) MUST_CHECK;
void readers_give(struct reader **r);
#define AUTO_READER __attribute__((cleanup(readers_give))) struct reader

/* Lent, until the reader is given back. */
struct database *reader_database(struct reader *r);
/* database_query on it. */
sqlite3_stmt *reader_query(struct reader *r, const char *sql, const struct db_value *values,
                           struct err *e) MUST_CHECK;
