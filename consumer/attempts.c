/* SPDX-License-Identifier: Apache-2.0
 *
 * attempts.c: a table of attempts, and the sum of their sizes; a ring of keys with a hash over it.
 */
#include "consumer/attempts.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/memory.h"

struct attempt *attempts_find(const struct attempts *all, const struct attempt_key *key)
{
        struct attempt *found;

        HASH_FIND(hh, all->table, key, sizeof(*key), found);
        return found;
}

bool attempts_other_copy_runs(const struct attempts *all, const struct attempt *a)
{
        for (const struct attempt *o = all->table; o != NULL; o = o->hh.next) {
                bool is_copy = o != a && attempt_key_is_of(&o->key, &a->key);
                if (is_copy && (attempt_is_running(o) || o->state == STATE_LEAVING))
                        return true;
        }
        return false;
}

void attempts_add(struct attempts *all, struct attempt *a)
{
        HASH_ADD(hh, all->table, key, sizeof(a->key), a);
        all->count++;
        all->bytes += a->bytes;
}

void attempts_remove(struct attempts *all, struct attempt *a)
{
        assert(all->table != NULL);
        HASH_DEL(all->table, a);
        all->count--;
        all->bytes -= a->bytes;
}

void attempts_join(struct attempts *all, struct attempt *a, struct tenant_queue *queue,
                   struct delivery **d)
{
        all->bytes -= a->bytes;
        attempt_join(a, queue, d);
        all->bytes += a->bytes;
}

void attempts_rekey(struct attempts *all, struct attempt *a)
{
        HASH_DEL(all->table, a);
        attempt_key_of_message(&a->job, &a->key);
        HASH_ADD(hh, all->table, key, sizeof(a->key), a);
}

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
