/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c: the numbers of tenants and job types.
 */
#include "status-store/projection/names.h"

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
        struct database *db;
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

struct names *names_create(struct database *db)
{
        struct names *n = xcalloc(1, sizeof(*n));
        n->db = db;
        return n;
}

void names_destroy(struct names **n)
{
        if (*n == NULL)
                return;
        names_forget(*n);
        free(*n);
        *n = NULL;
}

/* 0: not in the table; -1. */
static int64_t stored_ref(struct names *n, struct bytes text, struct err *e)
{
        AUTO_RESET *find = database_query(n->db, "SELECT ref FROM names WHERE name = ?1",
                                          DB_VALUES(value_string(text)), e);
        int found = db_step(find, e);
        return found == 1 ? sqlite3_column_int64(find, 0) : found;
}

int64_t names_ref(struct names *n, const char *name, struct err *e)
{
        struct bytes text = bytes_of_text(name);
        struct name *held = NULL;
        HASH_FIND(hh, n->table, text.data, text.length, held);
        if (held != NULL)
                return held->ref;
        int64_t ref = stored_ref(n, text, e);
        if (ref == 0) {
                if (database_run(n->db, "INSERT INTO names(name) VALUES(?1)",
                                 DB_VALUES(value_string(text)), e) != 0)
                        return -1;
                ref = sqlite3_last_insert_rowid(database_handle(n->db));
        }
        if (ref > 0)
                names_add(n, text, ref);
        return ref;
}
