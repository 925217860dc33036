/* SPDX-License-Identifier: Apache-2.0
 *
 * stall.c: while every worker is busy and nothing ends, nothing is kept from consumers that may be
 * idle: what has not started goes back, and its queues are left alone until a worker is free.
 */
#include "consumer/stall.h"

#include "common/base/log.h"
#include "consumer/scheduler.h"

enum {
        STALLED_AFTER = 5000, /* ms in which no run has started or ended */
        /* ms in which the queues that were left answer: the first of them is not the most urgent */
        GATHER = 100,
        /* Each return counts towards the queues' delivery limit of 1000: what came back so often
         * stays. */
        RETURNS_MAX = 500,
};

/* The count is the broker's from the first return on; until then it is what a publisher says. */
static bool came_too_often(const struct delivery *d)
{
        return d->redelivered &&
               message_header_int(&d->message, "x-delivery-count", 0) >= RETURNS_MAX;
}

static bool may_go_back(const struct attempt *a)
{
        return attempt_is_unstarted(a) && !came_too_often(a->delivery);
}

/* The queue first: what is given back to it must not come again. */
static void give_back(struct consumer *c, struct attempt *a)
{
        subscriptions_leave(c->subscriptions, a->feed);
        intake_withdraw(c, a);
        leaving_end(c, a, SETTLE_REQUEUE);
}

static unsigned give_back_all(struct consumer *c)
{
        struct attempt *a, *after;
        unsigned count = 0;

        HASH_ITER (hh, c->attempts, a, after) {
                if (!may_go_back(a))
                        continue;
                give_back(c, a);
                count++;
        }
        return count;
}

void stall_look(struct consumer *c)
{
        msec now = clock_mono();
        msec since = now - c->changed_at;

        if (c->stalled || c->running < (unsigned)c->settings->concurrency || since < STALLED_AFTER)
                return;
        c->stalled = true;
        unsigned count = give_back_all(c);
        subscriptions_collapse(c->subscriptions, since, now);
        if (count > 0)
                LOG_INFO("every worker is busy; what waits goes back", log_int("jobs", count));
}

void stall_delivery(void *owner, struct feed *f, struct delivery *d)
{
        struct consumer *c = owner;

        intake_delivery(c, f, d);
        if (c->stalled && !c->draining)
                give_back_all(c);
}

void stall_run_ended(struct consumer *c)
{
        if (!c->stalled)
                return;
        c->stalled = false;
        if (!subscriptions_return(c->subscriptions))
                return;
        c->gathering = true;
        alarm_set(c->gather_alarm, GATHER);
}

void stall_gathered(void *owner)
{
        struct consumer *c = owner;

        c->gathering = false;
        scheduler_resume(&c->inbox);
        work_dispatch(c);
}
