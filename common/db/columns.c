/* SPDX-License-Identifier: Apache-2.0
 *
 * columns.c: binds and reads members by kind.
 */
#include "common/db/columns.h"

#include <stdbool.h>

static void bind(sqlite3_stmt *s, int at, enum column_kind kind, const void *member)
{
        const struct buffer *buffer = member;

        switch (kind) {
        case COLUMN_INT:
                db_bind_int(s, at, *(const int64_t *)member);
                break;
        case COLUMN_INT_OR_NULL:
                db_bind_int_or_null(s, at, *(const int64_t *)member);
                break;
        case COLUMN_ENUM:
                db_bind_int(s, at, *(const int *)member);
                break;
        case COLUMN_ENUM_OR_NULL:
                db_bind_int_or_null(s, at, *(const int *)member);
                break;
        case COLUMN_FLAG:
                db_bind_int(s, at, *(const bool *)member);
                break;
        case COLUMN_FLAG_OR_NULL:
                db_bind_int_or_null(s, at, *(const bool *)member);
                break;
        case COLUMN_REAL:
                sqlite3_bind_double(s, at, *(const double *)member);
                break;
        case COLUMN_TEXT:
                db_bind_text(s, at, member);
                break;
        case COLUMN_BUFFER:
                db_bind_blob(s, at, buffer->data, buffer->length);
                break;
        }
}

int columns_bind(sqlite3_stmt *s, int first, const struct column *columns, size_t count,
                 const void *from)
{
        for (size_t i = 0; i < count; i++)
                bind(s, first++, columns[i].kind, (const char *)from + columns[i].at);
        return first;
}

static void read_one(sqlite3_stmt *s, int at, const struct column *column, void *member)
{
        struct bytes bytes;

        switch (column->kind) {
        case COLUMN_INT:
        case COLUMN_INT_OR_NULL:
                *(int64_t *)member = sqlite3_column_int64(s, at);
                break;
        case COLUMN_ENUM:
        case COLUMN_ENUM_OR_NULL:
                *(int *)member = sqlite3_column_int(s, at);
                break;
        case COLUMN_FLAG:
        case COLUMN_FLAG_OR_NULL:
                *(bool *)member = sqlite3_column_int(s, at) != 0;
                break;
        case COLUMN_REAL:
                *(double *)member = sqlite3_column_double(s, at);
                break;
        case COLUMN_TEXT:
                db_text(s, at, member, column->size);
                break;
        case COLUMN_BUFFER:
                bytes = db_bytes(s, at);
                if (bytes.length > 0)
                        buffer_add(member, bytes.data, bytes.length);
                break;
        }
}

int columns_read(sqlite3_stmt *s, int first, const struct column *columns, size_t count, void *to)
{
        for (size_t i = 0; i < count; i++)
                read_one(s, first++, &columns[i], (char *)to + columns[i].at);
        return first;
}
