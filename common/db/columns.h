/* SPDX-License-Identifier: Apache-2.0
 *
 * columns.h: a table's columns and their SQL from one list; their values are members of a struct.
 *
 * The list is a macro of rows X(column, declaration, kind, member):
 *
 *      #define PET_COLUMNS(X) \
 *              X(name, "TEXT NOT NULL", COLUMN_TEXT, name) \
 *              X(born, "INTEGER", COLUMN_INT, born_at)
 *
 *      "CREATE TABLE pets(id INTEGER PRIMARY KEY" PET_COLUMNS(COLUMN_DECLARED) ")"
 *      "INSERT INTO pets(id" PET_COLUMNS(COLUMN_NAMED) ") VALUES(?" PET_COLUMNS(COLUMN_PLACE) ")"
 *      "UPDATE pets SET id = ?" PET_COLUMNS(COLUMN_SET)
 *
 *      #define PET(column, declaration, kind, member) COLUMN_OF(struct pet, kind, member)
 *      static const struct column pet_columns[] = {PET_COLUMNS(PET)};
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/db/db.h"

enum column_kind {
        COLUMN_INT,         /* int64_t or uint64_t */
        COLUMN_INT_OR_NULL, /* _OR_NULL: 0 or false is NULL */
        COLUMN_ENUM,        /* an enum, or an int */
        COLUMN_ENUM_OR_NULL,
        COLUMN_FLAG, /* bool */
        COLUMN_FLAG_OR_NULL,
        COLUMN_REAL,  /* double */
        COLUMN_TEXT,  /* char array; empty is NULL */
        COLUMN_BUFFER /* struct buffer; empty is NULL. Reading appends */
};

struct column {
        enum column_kind kind;
        size_t at, size;
};

/* Each begins with a comma, so another column must precede them. */
#define COLUMN_DECLARED(column, declaration, kind, member) ", " #column " " declaration
#define COLUMN_NAMED(column, declaration, kind, member) ", " #column
#define COLUMN_PLACE(column, declaration, kind, member) ", ?"
#define COLUMN_SET(column, declaration, kind, member) ", " #column " = ?"
#define COLUMN_OF(type, kind, member) \
        {COLUMN_CHECKED(kind, ((type *)NULL)->member), offsetof(type, member), \
         sizeof(((type *)NULL)->member)},
#define COLUMN_ONE(column, declaration, kind, member) +1

/* The kind. It does not compile when the member's type is another kind's. */
#define COLUMN_CHECKED(kind, m) \
        (enum column_kind)((kind) + 0 * sizeof(char[COLUMN_FITS(kind, m) ? 1 : -1]))
#define COLUMN_FITS(kind, m) \
        _Generic((m), \
                int64_t: (kind) == COLUMN_INT || (kind) == COLUMN_INT_OR_NULL, \
                uint64_t: (kind) == COLUMN_INT || (kind) == COLUMN_INT_OR_NULL, \
                int: (kind) == COLUMN_ENUM || (kind) == COLUMN_ENUM_OR_NULL, \
                unsigned: (kind) == COLUMN_ENUM || (kind) == COLUMN_ENUM_OR_NULL, \
                bool: (kind) == COLUMN_FLAG || (kind) == COLUMN_FLAG_OR_NULL, \
                double: (kind) == COLUMN_REAL, \
                char *: (kind) == COLUMN_TEXT, \
                struct buffer: (kind) == COLUMN_BUFFER)

/* Bind the columns to parameters from `first` on (counted from 1), or read them from columns
 * `first` on (counted from 0). Return the index after the last. Bound values are borrowed until the
 * next reset. */
int columns_bind(sqlite3_stmt *s, int first, const struct column *columns, size_t count,
                 const void *from);
int columns_read(sqlite3_stmt *s, int first, const struct column *columns, size_t count, void *to);
