/* SPDX-License-Identifier: Apache-2.0
 *
 * ready.c: four lists for each tenant, and the ring of tenants with waiting attempts.
 */
#include "consumer/ready.h"

#include <assert.h>
#include <utlist.h>

static void count_in(struct ready *ready, struct tenant *t, const struct attempt *a)
{
        ready->count++;
        ready->expiring += a->job.expires_at != 0;
        if (t->waiting_count++ > 0)
                return;
        CDL_APPEND(ready->ring, t);
        ready->tenants++;
}

bool ready_is_limited(const struct ready *ready, const struct handler *h)
{
        return ready->is_limited == NULL ? h->concurrency > 0 : ready->is_limited(ready->owner, h);
}

void ready_add(struct ready *ready, struct attempt *a)
{
        struct tenant *t = a->queue->tenant;

        DL_APPEND(t->waiting[a->job.priority], a);
        count_in(ready, t, a);
}

void ready_put_back(struct ready *ready, struct attempt *a)
{
        struct tenant *t = a->queue->tenant;

        DL_PREPEND(t->waiting[a->job.priority], a);
        count_in(ready, t, a);
}

void ready_remove(struct ready *ready, struct attempt *a)
{
        struct tenant *t = a->queue->tenant;

        assert(t->waiting_count > 0);
        DL_DELETE(t->waiting[a->job.priority], a);
        ready->count--;
        ready->expiring -= a->job.expires_at != 0;
        if (--t->waiting_count > 0)
                return;
        CDL_DELETE(ready->ring, t);
        ready->tenants--;
        t->deficit = 0;
        t->passed_over = false;
}

static void each_of_tenant(struct tenant *t, void (*each)(void *owner, struct attempt *a),
                           void *owner)
{
        struct attempt *a, *after;

        for (int p = PRIORITY_COUNT - 1; p >= 0; p--) {
                DL_FOREACH_SAFE (t->waiting[p], a, after)
                        each(owner, a);
        }
}

void ready_each(struct ready *ready, void (*each)(void *owner, struct attempt *a), void *owner)
{
        struct tenant *t = ready->ring;

        for (unsigned left = ready->tenants; left > 0; left--) {
                struct tenant *after = t->next;
                each_of_tenant(t, each, owner);
                t = after;
        }
}
