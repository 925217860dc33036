/* SPDX-License-Identifier: Apache-2.0
 *
 * ready.h: the attempts that wait for a worker, by tenant and priority, oldest first. Tenants with
 * waiting attempts form a ring. Loop thread only.
 */
#pragma once

#include "consumer/attempt.h"
#include "consumer/tenant.h"

struct type_turn;

struct ready {
        struct tenant *ring;
        unsigned tenants;  /* in the ring */
        unsigned count;    /* attempts waiting */
        unsigned expiring; /* of those, with an expires_at */
        int64_t pass;      /* of the last pick; a tenant that had nothing waiting starts from it */
        /* Used by scheduler.c: */
        struct type_turn *turns;                                  /* by type */
        bool (*is_limited)(void *owner, const struct handler *h); /* NULL: by its concurrency */
        void *owner;
};

/* Its type has a limit of its own, here or over all consumers. */
bool ready_is_limited(const struct ready *ready, const struct handler *h);
/* The attempt is WAITING. */
void ready_add(struct ready *ready, struct attempt *a);
/* To the head of its list: it was picked and could not start. */
void ready_put_back(struct ready *ready, struct attempt *a);
void ready_remove(struct ready *ready, struct attempt *a);
/* Calls `each` for every waiting attempt, by tenant, from the next one's turn on, the highest
 * priority first; it may remove that one. */
void ready_each(struct ready *ready, void (*each)(void *owner, struct attempt *a), void *owner);
