/* SPDX-License-Identifier: Apache-2.0
 *
 * attempts.h: the attempts that are here, by key, and what they take. On the loop's thread, but for
 * reading the two counts.
 */
#ifndef WARREN_CONSUMER_ATTEMPTS_H
#define WARREN_CONSUMER_ATTEMPTS_H

#include <stdatomic.h>

#include "consumer/attempt.h"

struct attempts {
        struct attempt *table; /* walked by hh */
        atomic_uint count;
        atomic_size_t bytes; /* of their deliveries */
};

/* NULL: none with this key is here. */
struct attempt *attempts_find(const struct attempts *all, const struct attempt_key *key);
void attempts_add(struct attempts *all, struct attempt *a);
void attempts_remove(struct attempts *all, struct attempt *a);
/* attempt_join, of one that is here. */
void attempts_join(struct attempts *all, struct attempt *a, struct tenant_queue *queue,
                   struct delivery **d);
/* It gives up its place to a successor, and is found by its own message alone. */
void attempts_make_room(struct attempts *all, struct attempt *a);

#endif
