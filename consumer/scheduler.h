/* SPDX-License-Identifier: Apache-2.0
 *
 * scheduler.h: picks the waiting attempt that runs next. First the tenant, by deficit round-robin:
 * on its turn a tenant gets as many picks as its weight; tenants also take turns within each type
 * that has a limit of its own. Then the tenant's highest priority, oldest first; every 16th
 * pick of a tenant takes its lowest priority instead, so nothing starves. Attempts whose type has
 * no room are skipped, and tenants without a slot. Pure, except for counters in the tenants and in
 * struct ready.
 */
#pragma once

#include <stdbool.h>

#include "consumer/ready.h"

enum { SCHEDULER_LOWEST_EVERY = 16 };

typedef bool room_fn(void *owner, const struct handler *h);

/* Removes the attempt from `ready`. NULL: none of those waiting can run. */
struct attempt *scheduler_pick(struct ready *ready, room_fn *room, void *owner);
/* A tenant that was passed over for want of a slot has one now: it gets the turn that it missed.
 * One with nothing waiting has missed none: passed_over is false while it is not in the ring. */
void scheduler_give_turn(struct ready *ready, struct tenant *t);
/* After a stall the ring was emptied and filled again in any order: gives the turn to the tenant
 * with the fewest picks by weight. */
void scheduler_resume(struct ready *ready);
/* Frees what the scheduler has allocated in it. */
void scheduler_fini(struct ready *ready);
