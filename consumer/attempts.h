/* SPDX-License-Identifier: Apache-2.0
 *
 * attempts.h: the attempts held here, by key. Loop thread only; the two counts may be read from any
 * thread.
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
/* Changes the attempt's key to that of its message, so that a later message of the same attempt
 * does not find it. */
void attempts_rekey(struct attempts *all, struct attempt *a);

#endif
