/* SPDX-License-Identifier: Apache-2.0
 *
 * attempts.c: a table of attempts, and the sum of their sizes.
 */
#include "consumer/attempts.h"

#include <assert.h>
#include <stdlib.h>

struct attempt *attempts_find(const struct attempts *all, const struct attempt_key *key)
{
        struct attempt *found;

        HASH_FIND(hh, all->table, key, sizeof(*key), found);
        return found;
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
