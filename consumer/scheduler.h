/* SPDX-License-Identifier: Apache-2.0
 *
 * scheduler.h: which waiting attempt runs next. The tenant first, by deficit round-robin: on its
 * turn a tenant gets as many picks as its weight; within a type that has a limit of its own the
 * tenants take turns too. Then its highest priority, oldest first; every
 * 16th pick of a tenant takes its lowest instead, so nothing starves. Attempts whose type has no
 * room are skipped. Pure but for the tenants' own counters.
 */
#ifndef WARREN_CONSUMER_SCHEDULER_H
#define WARREN_CONSUMER_SCHEDULER_H

#include <stdbool.h>

#include "consumer/ready.h"

enum { SCHEDULER_LOWEST_EVERY = 16 };

typedef bool room_fn(void *owner, const struct handler *h);

/* Takes it out. NULL: nothing waits that could run. */
struct attempt *scheduler_pick(struct ready *ready, room_fn *room, void *owner);
/* The ring was emptied by giving back, and has filled again in whatever order: the turn is whose
 * picks, by weight, were the fewest. */
void scheduler_resume(struct ready *ready);
/* Frees what the scheduler keeps in it. */
void scheduler_fini(struct ready *ready);

#endif
