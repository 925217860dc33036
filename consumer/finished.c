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
        struct finished *f = xcalloc(1, sizeof(*f) + capacity * sizeof(f->ring[0]));

        f->capacity = capacity;
        return f;
}

void finished_destroy(struct finished **f)
{
        if (*f == NULL)
                return;
        HASH_CLEAR(hh, (*f)->table);
        free(*f);
        *f = NULL;
}

bool finished_has(const struct finished *f, const struct attempt_key *key)
{
        struct entry *found;

        HASH_FIND(hh, f->table, key, sizeof(*key), found);
        return found != NULL;
}

void finished_add(struct finished *f, const struct attempt_key *key)
{
        struct entry *slot = &f->ring[f->next];

        if (finished_has(f, key))
                return;
        if (slot->used)
                HASH_DELETE(hh, f->table, slot);
        *slot = (struct entry){.key = *key, .used = true};
        HASH_ADD(hh, f->table, key, sizeof(slot->key), slot);
        f->next = (f->next + 1) % f->capacity;
}
