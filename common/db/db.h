/* SPDX-License-Identifier: Apache-2.0
 *
 * db.h: SQLite with this project's errors and ownership. One connection belongs to one thread at a
 * time.
 */
#ifndef WARREN_DB_DB_H
#define WARREN_DB_DB_H

#include <sqlite3.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/err.h"

enum db_mode {
        DB_PROJECTION, /* WAL, synchronous NORMAL: can be folded again */
        DB_PRIMARY,    /* WAL, synchronous FULL: exists nowhere else; what is deleted is wiped */
        DB_ARCHIVE,    /* as DB_PRIMARY, but large: nothing is wiped, and a new file can shrink */
        DB_READ_ONLY,
};

/* A file that it makes, or may write, is its user's alone (0600), and so are those beside it. */
sqlite3 *db_open(const char *path, enum db_mode mode, struct err *e) MUST_CHECK;
void db_close(sqlite3 **db);
#define AUTO_DB __attribute__((cleanup(db_close))) sqlite3
/* Copies the database at `path` into a new file (VACUUM INTO; mode 0600), while it may be in use.
 */
int db_backup(const char *path, const char *file, struct err *e) MUST_CHECK;
int db_exec(sqlite3 *db, const char *sql, struct err *e) MUST_CHECK;
sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql, struct err *e) MUST_CHECK;
void db_finalize(sqlite3_stmt **s);
/* Always -1, with SQLite's own words; a full disk or a locked file is ERR_UNAVAILABLE. */
int db_fail(sqlite3 *db, struct err *e, const char *doing);

/* 1: a row; 0: no more; -1. */
int db_step(sqlite3_stmt *s, struct err *e) MUST_CHECK;
/* Steps to the end and resets, also after a failure. */
int db_run(sqlite3_stmt *s, struct err *e) MUST_CHECK;

/* A prepared statement in use: reset when its scope ends, so that no read stays open. */
#define AUTO_RESET __attribute__((cleanup(db_reset_))) sqlite3_stmt
/* A statement of this scope alone. */
#define AUTO_STATEMENT __attribute__((cleanup(db_finalize))) sqlite3_stmt
void db_reset_(sqlite3_stmt **s);

/* What is bound is borrowed: it must outlive the next reset. Empty text and empty bytes are NULL.
 */
void db_bind_int(sqlite3_stmt *s, int at, int64_t value);
void db_bind_int_or_null(sqlite3_stmt *s, int at, int64_t value); /* 0 is NULL */
void db_bind_text(sqlite3_stmt *s, int at, const char *text);
void db_bind_blob(sqlite3_stmt *s, int at, const void *data, size_t length);

/* Lent until the next step or reset. */
struct bytes db_bytes(sqlite3_stmt *s, int column);
/* Copies; cuts what does not fit; NULL becomes "". */
void db_text(sqlite3_stmt *s, int column, char *out, size_t size);

#endif
