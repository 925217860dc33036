/* SPDX-License-Identifier: Apache-2.0
 *
 * name_set.c: a hash table.
 */
#include "common/amqp/name_set.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"

struct named {
        UT_hash_handle hh;
        char name[];
};

static struct named *find(const struct name_set *s, const char *name)
{
        struct named *found = NULL;

        HASH_FIND_STR(s->names, name, found);
        return found;
}

bool name_set_has(const struct name_set *s, const char *name)
{
        return find(s, name) != NULL;
}

void name_set_add(struct name_set *s, const char *name)
{
        size_t size = strlen(name) + 1;

        if (find(s, name) != NULL)
                return;
        struct named *n = xcalloc(1, sizeof(*n) + size);
        memcpy(n->name, name, size);
        HASH_ADD_KEYPTR(hh, s->names, n->name, size - 1, n);
}

void name_set_remove(struct name_set *s, const char *name)
{
        struct named *n = find(s, name);

        if (n == NULL)
                return;
        HASH_DEL(s->names, n);
        free(n);
}

void name_set_clear(struct name_set *s)
{
        struct named *n, *next;

        HASH_ITER (hh, s->names, n, next) {
                HASH_DEL(s->names, n);
                free(n);
        }
}
