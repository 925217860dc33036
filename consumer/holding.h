/* SPDX-License-Identifier: Apache-2.0
 *
 * holding.h: attempts whose time is at most DELAY_HOLD_MAX away, held until it has come: never
 * early. Loop thread only.
 */
#ifndef WARREN_CONSUMER_HOLDING_H
#define WARREN_CONSUMER_HOLDING_H

#include "common/base/alarm.h"
#include "consumer/attempt.h"

struct holding;

typedef void due_fn(void *owner, struct attempt *a);

struct holding *holding_create(uv_loop_t *loop, due_fn *due, void *owner);
/* Attempts still held stay the owner's. */
void holding_destroy(struct holding **h);
void holding_add(struct holding *h, struct attempt *a);
void holding_remove(struct holding *h, struct attempt *a);
/* Any one of them, or NULL. */
struct attempt *holding_any(const struct holding *h);

#endif
