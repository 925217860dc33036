/* SPDX-License-Identifier: Apache-2.0
 *
 * flow.c: unsubscribes queues while too many bytes are held here, and while every worker is busy
 * and no run ends (a stall): other consumers may be idle.
 */
#include "consumer/flow.h"

#include "common/base/log.h"
#include "consumer/finish.h"
#include "consumer/scheduler.h"
#include "consumer/share.h"

enum {
        STALLED_AFTER = 5000, /* ms in which no run has started or ended */
        /* ms to wait for deliveries after a stall: the first may not be the most urgent */
        GATHER = 100,
};

static unsigned give_back_all(struct consumer *c)
{
        struct attempt *a, *after;
        unsigned count = 0;

        HASH_ITER (hh, c->attempts.table, a, after) {
                if (!finish_may_release(a))
                        continue;
                /* Unsubscribe first, or the requeued job is delivered here again. */
                subscriptions_suspend(c->subscriptions, a->queue);
                finish_release(c, a);
                count++;
        }
        return count;
}

void flow_check(struct consumer *c)
{
        msec now = clock_mono();
        msec since = now - c->changed_at;

        if (c->stalled)
                return;
        share_check(c);
        if (c->running < (unsigned)c->settings->concurrency || since < STALLED_AFTER)
                return;
        c->stalled = true;
        unsigned count = give_back_all(c);
        subscriptions_collapse(c->subscriptions, since, now);
        if (count > 0)
                LOG_INFO("every worker is busy; waiting jobs are requeued", log_int("jobs", count));
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
                give_back_all(c); /* deliveries that came since */
        limit_bytes(c);
}

void flow_run_ended(struct consumer *c)
{
        if (!c->stalled)
                return;
        c->stalled = false;
        if (!subscriptions_resume(c->subscriptions))
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
