/* SPDX-License-Identifier: Apache-2.0
 *
 * recent.h: the attempts this consumer has finished lately, so that their redeliveries (an ack was
 * lost with its connection) are acked unrun. A ring of fixed size: the oldest is forgotten. Loop
 * thread only.
 */
#ifndef WARREN_CONSUMER_RECENT_H
#define WARREN_CONSUMER_RECENT_H

#include <stdbool.h>
#include <stddef.h>

#include "consumer/attempt.h"

struct recent;

struct recent *recent_create(size_t capacity);
void recent_destroy(struct recent **r);
void recent_add(struct recent *r, const struct attempt_key *key);
bool recent_has(const struct recent *r, const struct attempt_key *key);

#endif
