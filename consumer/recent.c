/* SPDX-License-Identifier: Apache-2.0
 *
 * recent.c: a ring of keys with a hash over it.
 */
#include "consumer/recent.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/memory.h"

struct entry {
        struct attempt_key key;
        bool used;
        UT_hash_handle hh;
};

struct recent {
        size_t capacity, next;
        struct entry *table;
        struct entry ring[];
};

struct recent *recent_create(size_t capacity)
{
        assert(capacity > 0);
        struct recent *r = xcalloc(1, sizeof(*r) + capacity * sizeof(r->ring[0]));

        r->capacity = capacity;
        return r;
}

void recent_destroy(struct recent **r)
{
        if (*r == NULL)
                return;
        HASH_CLEAR(hh, (*r)->table);
        free(*r);
        *r = NULL;
}

bool recent_has(const struct recent *r, const struct attempt_key *key)
{
        struct entry *found;

        HASH_FIND(hh, r->table, key, sizeof(*key), found);
        return found != NULL;
}

void recent_add(struct recent *r, const struct attempt_key *key)
{
        struct entry *slot = &r->ring[r->next];

        if (recent_has(r, key))
                return;
        if (slot->used)
                HASH_DELETE(hh, r->table, slot);
        *slot = (struct entry){.key = *key, .used = true};
        HASH_ADD(hh, r->table, key, sizeof(slot->key), slot);
        r->next = (r->next + 1) % r->capacity;
}
