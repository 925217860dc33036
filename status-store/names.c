/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c: the numbers of tenants and job types.
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
        sqlite3_stmt *find, *insert;
};

void names_forget(struct names *n)
{
        struct name *at, *next;
        HASH_ITER (hh, n->table, at, next) {
                HASH_DEL(n->table, at);
                free(at);
        }
}

size_t names_held(const struct names *n)
{
        return HASH_COUNT(n->table);
}

static void names_add(struct names *n, struct bytes text, int64_t ref)
{
        if (names_held(n) == NAMES_HELD_MAX)
                names_forget(n);
        struct name *name = xcalloc(1, sizeof(*name) + text.length + 1);
        name->ref = ref;
        memcpy(name->text, text.data, text.length);
        HASH_ADD_KEYPTR(hh, n->table, name->text, text.length, name);
}

struct names *names_create(sqlite3 *db, struct err *e)
{
        AUTO(names) n = xcalloc(1, sizeof(*n));
        n->find = db_prepare(db, "SELECT ref FROM names WHERE name = ?1", e);
        if (n->find == NULL)
                return NULL;
        n->insert = db_prepare(db, "INSERT INTO names(name) VALUES(?1)", e);
        return n->insert != NULL ? TAKE(n) : NULL;
}

void names_destroy(struct names **n)
{
        if (*n == NULL)
                return;
        names_forget(*n);
        db_finalize(&(*n)->find);
        db_finalize(&(*n)->insert);
        free(*n);
        *n = NULL;
}

/* 0: not in the table; -1. */
static int64_t stored_ref(struct names *n, const char *text, struct err *e)
{
        AUTO_RESET *find = n->find;
        sqlite3_bind_text(find, 1, text, -1, SQLITE_STATIC);
        int found = db_step(find, e);
        return found == 1 ? sqlite3_column_int64(find, 0) : found;
}

int64_t names_ref(struct names *n, const char *text, struct err *e)
{
        struct name *name = NULL;
        HASH_FIND(hh, n->table, text, strlen(text), name);
        if (name != NULL)
                return name->ref;
        int64_t ref = stored_ref(n, text, e);
        if (ref == 0) {
                sqlite3_bind_text(n->insert, 1, text, -1, SQLITE_STATIC);
                if (db_run(n->insert, e) != 0)
                        return -1;
                ref = sqlite3_last_insert_rowid(sqlite3_db_handle(n->insert));
        }
        if (ref > 0)
                names_add(n, bytes_of_text(text), ref);
        return ref;
}
