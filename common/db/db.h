/* SPDX-License-Identifier: Apache-2.0
 *
 * db.h: SQLite with this project's errors and ownership. Use a connection on one thread at a time.
 *
 * An error has SQLite's message. A full disk or a locked file is ERR_UNAVAILABLE, a violated
 * constraint ERR_CONFLICT, a damaged file ERR_CORRUPT.
 */
#pragma once

#include <sqlite3.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/err.h"

enum db_mode {
        DB_PROJECTION, /* WAL, synchronous NORMAL: can be rebuilt from the stream */
        DB_PRIMARY,    /* WAL, synchronous FULL: the only copy; deleted data are overwritten */
        DB_ARCHIVE,    /* WAL, synchronous FULL, for large data: not overwritten; auto_vacuum
                          INCREMENTAL in a new file */
        DB_READ_ONLY,
};

/* Makes the file if needed, but not for DB_READ_ONLY. A file open for writing gets mode 0600, and
 * so do its -wal and -shm. */
sqlite3 *db_open(const char *path, enum db_mode mode, struct err *e) MUST_CHECK;
void db_close(sqlite3 **db);
#define AUTO_DB __attribute__((cleanup(db_close))) sqlite3
/* Copies the database, which may be in use, into a new file (VACUUM INTO; mode 0600). */
int db_backup(const char *path, const char *file, struct err *e) MUST_CHECK;
int db_exec(sqlite3 *db, const char *sql, struct err *e) MUST_CHECK;
sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql, struct err *e) MUST_CHECK;
void db_finalize(sqlite3_stmt **s);
/* 1: a row; 0: no more; -1: failed. NULL fails: e says already why it was not prepared. */
int db_step(sqlite3_stmt *s, struct err *e) MUST_CHECK;
/* The number that a query answers with in its one row, such as PRAGMA user_version. */
int db_number(sqlite3 *db, const char *sql, int *number, struct err *e) MUST_CHECK;
/* Steps to the end, then resets, also after a failure. NULL as in db_step. */
int db_run(sqlite3_stmt *s, struct err *e) MUST_CHECK;

/* Resets a statement at the end of the scope, which ends its read transaction. */
#define AUTO_RESET __attribute__((cleanup(db_reset_))) sqlite3_stmt
/* Finalizes a statement at the end of the scope. */
#define AUTO_STATEMENT __attribute__((cleanup(db_finalize))) sqlite3_stmt
void db_reset_(sqlite3_stmt **s);

/* Texts and bytes are borrowed until the next reset; empty ones are bound as NULL. */
void db_bind_int(sqlite3_stmt *s, int at, int64_t value);
void db_bind_int_or_null(sqlite3_stmt *s, int at, int64_t value); /* 0 is NULL */
void db_bind_text(sqlite3_stmt *s, int at, const char *text);
void db_bind_blob(sqlite3_stmt *s, int at, const void *data, size_t length);

/* Lent until the next step or reset. */
struct bytes db_bytes(sqlite3_stmt *s, int column);
/* Copies; cuts what does not fit; NULL becomes "". */
void db_text(sqlite3_stmt *s, int column, char *out, size_t size);
