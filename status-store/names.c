/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c: tenants and job types by number.
 */
#include "status-store/names.h"

#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"

struct name {
        int64_t ref;
        UT_hash_handle hh;
        char text[];
};

struct names {
        struct name *table;
        sqlite3 *db;
        sqlite3_stmt *insert;
};

static void names_clear(struct names *n)
{
        struct name *at, *next;
        HASH_ITER (hh, n->table, at, next) {
                HASH_DEL(n->table, at);
                free(at);
        }
}

static void names_add(struct names *n, struct bytes text, int64_t ref)
{
        struct name *name = xcalloc(1, sizeof(*name) + text.length + 1);
        name->ref = ref;
        memcpy(name->text, text.data, text.length);
        HASH_ADD_KEYPTR(hh, n->table, name->text, text.length, name);
}

int names_reload(struct names *n, struct err *e)
{
        names_clear(n);
        AUTO_STATEMENT *all = db_prepare(n->db, "SELECT ref, name FROM names", e);
        if (all == NULL)
                return -1;
        int more = 1;
        while ((more = db_step(all, e)) == 1) {
                struct bytes text = db_bytes(all, 1);
                if (text.length > 0)
                        names_add(n, text, sqlite3_column_int64(all, 0));
        }
        return more;
}

struct names *names_create(sqlite3 *db, struct err *e)
{
        AUTO(names) n = xcalloc(1, sizeof(*n));
        n->db = db;
        n->insert = db_prepare(db, "INSERT INTO names(name) VALUES(?1)", e);
        if (n->insert == NULL || names_reload(n, e) != 0)
                return NULL;
        return TAKE(n);
}

void names_destroy(struct names **n)
{
        if (*n == NULL)
                return;
        names_clear(*n);
        db_finalize(&(*n)->insert);
        free(*n);
        *n = NULL;
}

int64_t names_ref(struct names *n, const char *text, struct err *e)
{
        struct name *name = NULL;
        HASH_FIND(hh, n->table, text, strlen(text), name);
        if (name != NULL)
                return name->ref;
        sqlite3_bind_text(n->insert, 1, text, -1, SQLITE_STATIC);
        if (db_run(n->insert, e) != 0)
                return -1;
        names_add(n, bytes_of_text(text), sqlite3_last_insert_rowid(n->db));
        return sqlite3_last_insert_rowid(n->db);
}
