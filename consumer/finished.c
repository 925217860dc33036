/* SPDX-License-Identifier: Apache-2.0
 *
 * finished.c: a ring of keys with a hash over it.
 */
#include "consumer/finished.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/memory.h"

struct entry {
        struct attempt_key key;
        bool used;
        UT_hash_handle hh;
};

struct finished {
        size_t capacity, next;
        struct entry *table;
        struct entry ring[];
};

struct finished *finished_create(size_t capacity)
{
        assert(capacity > 0);
        struct finished *r = xcalloc(1, sizeof(*r) + capacity * sizeof(r->ring[0]));

        r->capacity = capacity;
        return r;
}

void finished_destroy(struct finished **r)
{
        if (*r == NULL)
                return;
        HASH_CLEAR(hh, (*r)->table);
        free(*r);
        *r = NULL;
}

bool finished_has(const struct finished *r, const struct attempt_key *key)
{
        struct entry *found;

        HASH_FIND(hh, r->table, key, sizeof(*key), found);
        return found != NULL;
}

void finished_add(struct finished *r, const struct attempt_key *key)
{
        struct entry *slot = &r->ring[r->next];

        if (finished_has(r, key))
                return;
        if (slot->used)
                HASH_DELETE(hh, r->table, slot);
        *slot = (struct entry){.key = *key, .used = true};
        HASH_ADD(hh, r->table, key, sizeof(slot->key), slot);
        r->next = (r->next + 1) % r->capacity;
}
