/* SPDX-License-Identifier: Apache-2.0
 *
 * database.c: an open database with the statements that were prepared on it.
 */
#include "common/db/database.h"

#include <assert.h>
#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"

struct prepared {
        const char *sql; /* its address is the key: to hash the text takes longer than to bind */
        sqlite3_stmt *statement;
        UT_hash_handle hh;
};

struct database {
        sqlite3 *handle;
        struct prepared *prepared;
};

struct database *database_create(sqlite3 **handle)
{
        struct database *db = xcalloc(1, sizeof(*db));
        db->handle = TAKE(*handle);
        return db;
}

void database_destroy(struct database **database)
{
        struct database *db = TAKE(*database);
        struct prepared *p = NULL, *next = NULL;
        if (db == NULL)
                return;
        HASH_ITER (hh, db->prepared, p, next) {
                HASH_DEL(db->prepared, p);
                db_finalize(&p->statement);
                free(p);
        }
        db_close(&db->handle);
        free(db);
}

sqlite3 *database_handle(struct database *db)
{
        return db->handle;
}

bool database_in_transaction(const struct database *db)
{
        return sqlite3_get_autocommit(db->handle) == 0;
}

static struct prepared *prepare(struct database *db, const char *sql, struct err *e)
{
        sqlite3_stmt *statement = db_prepare(db->handle, sql, e);
        if (statement == NULL)
                return NULL;
        struct prepared *p = xcalloc(1, sizeof(*p));
        p->sql = sql;
        p->statement = statement;
        HASH_ADD_PTR(db->prepared, sql, p);
        return p;
}

struct db_value value_int(int64_t number)
{
        return (struct db_value){.kind = DB_INT, .number = number};
}

struct db_value value_int_or_null(int64_t number)
{
        return (struct db_value){.kind = number == 0 ? DB_NULL : DB_INT, .number = number};
}

struct db_value value_text(const char *text)
{
        if (text == NULL || text[0] == '\0')
                return (struct db_value){.kind = DB_NULL};
        return value_string(bytes_of_text(text));
}

struct db_value value_string(struct bytes text)
{
        return (struct db_value){.kind = DB_TEXT, .bytes = text};
}

struct db_value value_blob(struct bytes bytes)
{
        return (struct db_value){.kind = bytes.length == 0 ? DB_NULL : DB_BLOB, .bytes = bytes};
}

static void bind(sqlite3_stmt *s, int at, const struct db_value *v)
{
        const char *data = v->bytes.data;
        switch (v->kind) {
        case DB_INT:
                sqlite3_bind_int64(s, at, v->number);
                break;
        case DB_TEXT:
                sqlite3_bind_text64(s, at, data, v->bytes.length, SQLITE_STATIC, SQLITE_UTF8);
                break;
        case DB_BLOB:
                sqlite3_bind_blob64(s, at, data, v->bytes.length, SQLITE_STATIC);
                break;
        case DB_NULL:
        case DB_END:
                break;
        }
}

void db_bind_values(sqlite3_stmt *s, const struct db_value *values)
{
        for (int i = 0; values != NULL && values[i].kind != DB_END; i++)
                bind(s, i + 1, &values[i]);
}

sqlite3_stmt *database_query(struct database *db, const char *sql, const struct db_value *values,
                             struct err *e)
{
        struct prepared *p = NULL;
        HASH_FIND_PTR(db->prepared, &sql, p);
        if (p == NULL)
                p = prepare(db, sql, e);
        if (p == NULL)
                return NULL;
        assert(strcmp(sqlite3_sql(p->statement), sql) == 0 && !sqlite3_stmt_busy(p->statement));
        sqlite3_clear_bindings(p->statement);
        db_bind_values(p->statement, values);
        return p->statement;
}

int database_run(struct database *db, const char *sql, const struct db_value *values, struct err *e)
{
        return db_run(database_query(db, sql, values, e), e);
}
