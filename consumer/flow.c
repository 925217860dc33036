/* SPDX-License-Identifier: Apache-2.0
 *
 * flow.c: when queues are left alone: while too many bytes are held here; and while every worker is
 * busy and nothing ends, so that nothing is kept from consumers that may be idle.
 */
#include "consumer/flow.h"

#include "common/base/log.h"
#include "consumer/finish.h"
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

static unsigned give_back_all(struct consumer *c)
{
        struct attempt *a, *after;
        unsigned count = 0;

        HASH_ITER (hh, c->attempts.table, a, after) {
                if (!may_go_back(a))
                        continue;
                /* The queue first: what is given back to it must not come again. */
                subscriptions_leave(c->subscriptions, a->queue);
                finish_release(c, a);
                count++;
        }
        return count;
}

void flow_look(struct consumer *c)
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

static void limit_bytes(struct consumer *c)
{
        size_t most = (size_t)c->settings->held_max;

        if (c->attempts.bytes > most)
                subscriptions_set_full(c->subscriptions, true);
        else if (c->attempts.bytes < most / 4 * 3)
                subscriptions_set_full(c->subscriptions, false);
}

void flow_turn(struct consumer *c)
{
        if (c->stalled)
                give_back_all(c); /* what has come since */
        limit_bytes(c);
}

void flow_run_ended(struct consumer *c)
{
        if (!c->stalled)
                return;
        c->stalled = false;
        if (!subscriptions_return(c->subscriptions))
                return;
        c->gathering = true;
        alarm_set(c->gather_alarm, GATHER);
}

void flow_gathered(void *owner)
{
        struct consumer *c = owner;

        c->gathering = false;
        scheduler_resume(&c->ready);
}
