/* SPDX-License-Identifier: Apache-2.0
 *
 * attempts.h: the attempts held here, by key. Loop thread only; any thread may read the two counts.
 */
#ifndef WARREN_CONSUMER_ATTEMPTS_H
#define WARREN_CONSUMER_ATTEMPTS_H

#include <stdatomic.h>

#include "consumer/attempt.h"

struct attempts {
        struct attempt *table; /* iterated by hh */
        atomic_uint count;
        atomic_size_t bytes; /* the sum of attempt.bytes */
};

/* NULL: there is none. */
struct attempt *attempts_find(const struct attempts *all, const struct attempt_key *key);
void attempts_add(struct attempts *all, struct attempt *a);
void attempts_remove(struct attempts *all, struct attempt *a);
/* attempt_join, keeping `bytes` up to date. */
void attempts_join(struct attempts *all, struct attempt *a, struct tenant_queue *queue,
                   struct delivery **d);
/* Changes its key to its message's: a later message of the attempt must not find it. */
void attempts_rekey(struct attempts *all, struct attempt *a);

#endif
