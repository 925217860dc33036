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
        sqlite3_stmt *statement;
        UT_hash_handle hh; /* the key is the statement's own copy of its text */
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
        p->statement = statement;
        const char *key = sqlite3_sql(statement);
        HASH_ADD_KEYPTR(hh, db->prepared, key, strlen(key), p);
        return p;
}

sqlite3_stmt *database_statement(struct database *db, const char *sql, struct err *e)
{
        struct prepared *p = NULL;
        HASH_FIND_STR(db->prepared, sql, p);
        if (p == NULL)
                p = prepare(db, sql, e);
        if (p == NULL)
                return NULL;
        assert(!sqlite3_stmt_busy(p->statement));
        sqlite3_clear_bindings(p->statement);
        return p->statement;
}

int database_run(struct database *db, const char *sql, struct err *e)
{
        sqlite3_stmt *s = database_statement(db, sql, e);
        return s == NULL ? -1 : db_run(s, e);
}
