/* SPDX-License-Identifier: Apache-2.0
 *
 * attempts.h: the attempts held here, and the keys of those finished last. Loop thread only; any
 * thread may read the two counts.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "consumer/attempt.h"

struct attempts {
        struct attempt *table; /* iterated by hh */
        atomic_uint count;
        atomic_size_t bytes; /* the sum of attempt.bytes */
};

/* NULL: there is none. */
struct attempt *attempts_find(const struct attempts *all, const struct attempt_key *key);
/* Another copy of the attempt runs here, or has ended and is not settled. */
bool attempts_other_copy_runs(const struct attempts *all, const struct attempt *a);
void attempts_add(struct attempts *all, struct attempt *a);
void attempts_remove(struct attempts *all, struct attempt *a);
/* attempt_join, keeping `bytes` up to date. */
void attempts_join(struct attempts *all, struct attempt *a, struct tenant_queue *queue,
                   struct delivery **d);
/* Changes its key to its message's: a later message of the attempt must not find it. */
void attempts_rekey(struct attempts *all, struct attempt *a);

/* When an ack was lost with its connection, the redelivery is found here and acked without a run.
 * Of fixed size: the oldest key is overwritten. */
struct finished;

struct finished *finished_create(size_t capacity);
void finished_destroy(struct finished **f);
void finished_add(struct finished *f, const struct attempt_key *key);
bool finished_has(const struct finished *f, const struct attempt_key *key);
