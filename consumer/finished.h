/* SPDX-License-Identifier: Apache-2.0
 *
 * finished.h: the keys of the attempts this consumer has finished last. When an ack was lost with
 * its connection, the redelivery is found here and acked without a run. Of fixed size: the oldest
 * key is overwritten. Loop thread only.
 */
#ifndef WARREN_CONSUMER_FINISHED_H
#define WARREN_CONSUMER_FINISHED_H

#include <stdbool.h>
#include <stddef.h>

#include "consumer/attempt.h"

struct finished;

struct finished *finished_create(size_t capacity);
void finished_destroy(struct finished **f);
void finished_add(struct finished *f, const struct attempt_key *key);
bool finished_has(const struct finished *f, const struct attempt_key *key);

#endif
