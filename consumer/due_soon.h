/* SPDX-License-Identifier: Apache-2.0
 *
 * due_soon.h: attempts whose time is at most DELAY_HOLD_MAX away, held until it has come: never
 * early. Loop thread only.
 */
#ifndef WARREN_CONSUMER_DUE_SOON_H
#define WARREN_CONSUMER_DUE_SOON_H

#include "common/base/alarm.h"
#include "consumer/attempt.h"

struct due_soon;

typedef void due_fn(void *owner, struct attempt *a);

struct due_soon *due_soon_create(uv_loop_t *loop, due_fn *due, void *owner);
/* Attempts still held stay the owner's. */
void due_soon_destroy(struct due_soon **d);
void due_soon_add(struct due_soon *d, struct attempt *a);
void due_soon_remove(struct due_soon *d, struct attempt *a);

#endif
