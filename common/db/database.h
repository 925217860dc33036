/* SPDX-License-Identifier: Apache-2.0
 *
 * database.h: an open database with the statements that were prepared on it. One thread at a time.
 */
#pragma once

#include "common/db/db.h"

struct database;

/* Takes *handle. */
struct database *database_create(sqlite3 **handle);
void database_destroy(struct database **db);
sqlite3 *database_handle(struct database *db);
bool database_in_transaction(const struct database *db);

/* The value of a parameter. Texts and bytes are borrowed until the next reset. */
struct db_value {
        enum { DB_END, DB_INT, DB_TEXT, DB_BLOB, DB_NULL } kind;
        int64_t number;
        struct bytes bytes;
};
/* The values of parameters ?1, ?2, … in this order. */
#define DB_VALUES(...) ((const struct db_value[]){__VA_ARGS__, {.kind = DB_END}})
struct db_value value_int(int64_t number);
struct db_value value_int_or_null(int64_t number); /* 0 is NULL */
struct db_value value_text(const char *text);      /* empty is NULL */
struct db_value value_string(struct bytes text);   /* empty stays empty */
struct db_value value_blob(struct bytes bytes);    /* empty is NULL */
/* NULL: none. */
void db_bind_values(sqlite3_stmt *s, const struct db_value *values);

/* Prepared the first time that it is asked for and kept from then on by the address of its text,
 * which must be a constant. Parameters without a value are NULL; values NULL: none has one. Hold it
 * in AUTO_RESET, or end it by db_run: one that still has rows to give must not be asked for again.
 * A failure need not be checked before db_step or db_run, which then fail with it. */
sqlite3_stmt *database_query(struct database *db, const char *sql, const struct db_value *values,
                             struct err *e) MUST_CHECK;
/* Runs it to its end. */
int database_run(struct database *db, const char *sql, const struct db_value *values,
                 struct err *e) MUST_CHECK;
