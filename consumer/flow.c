/* SPDX-License-Identifier: Apache-2.0
 *
 * flow.c: unsubscribes queues while too many bytes are held here, and while every worker is busy
 * and no run ends (a stall): other consumers may be idle. While runs end, but many queues have
 * delivered a whole window each, the queues share one window, for the same reason.
 */
#include "consumer/flow.h"

#include "common/base/log.h"
#include "consumer/finish.h"
#include "consumer/scheduler.h"

enum {
        STALLED_AFTER = 5000, /* ms in which no run has started or ended */
        /* ms to wait for deliveries after a stall: the first may not be the most urgent */
        GATHER = 100,
        /* A job returned this often is not requeued: its delivery limit of 1000 counts returns. */
        RETURNS_MAX = 500,
        AHEAD_MAX = 1000, /* ms of work that may wait here for workers */
        BACK_AT_ONCE =
                256,    /* requeued in one check: each is looked up when it is delivered again */
        IDLE_AFTER = 2, /* checks; between a run's end and the next delivery a worker is idle */
};

/* The broker sets x-delivery-count from the first return on; before that a publisher may have. */
static bool may_go_back(const struct attempt *a)
{
        const struct delivery *d = a->delivery;
        bool came_too_often = d->redelivered &&
                              message_header_int(&d->message, "x-delivery-count", 0) >= RETURNS_MAX;

        return attempt_is_unstarted(a) && !came_too_often;
}

static unsigned give_back_all(struct consumer *c)
{
        struct attempt *a, *after;
        unsigned count = 0;

        HASH_ITER (hh, c->attempts.table, a, after) {
                if (!may_go_back(a))
                        continue;
                /* Unsubscribe first, or the requeued job is delivered here again. */
                subscriptions_suspend(c->subscriptions, a->queue);
                finish_release(c, a);
                count++;
        }
        return count;
}

/* The jobs that wait here and could run elsewhere. */
struct waiting {
        struct consumer *c;
        unsigned jobs, queues;
        double us; /* the time that they will run */
        uint16_t share;
        unsigned may_return;
};

/* A job that waits for its type's concurrency has a plan of its own, see type_limits.c. */
static bool waits_for_worker(const struct consumer *c, const struct attempt *a)
{
        return a->handler->concurrency == 0 || runner_has_room(c->runner, a->handler);
}

static void count_waiting(void *owner, struct attempt *a)
{
        struct waiting *w = owner;
        const struct window *known = &a->queue->window;

        if (known->samples == 0)
                known = &w->c->runs;
        if (known->samples == 0 || !waits_for_worker(w->c, a))
                return;
        w->queues += a->queue->waiting++ == 0;
        w->jobs++;
        w->us += known->mean_us;
}

/* Of each queue the oldest are kept, as many as its window now has. */
static void share_one(void *owner, struct attempt *a)
{
        struct waiting *w = owner;
        struct tenant_queue *f = a->queue;

        if (f->waiting == 0 || !waits_for_worker(w->c, a))
                return;
        if (f->kept++ == 0)
                subscriptions_share(w->c->subscriptions, f, w->share, clock_mono());
        if (f->kept <= f->window.size || w->may_return == 0 || !may_go_back(a))
                return;
        w->may_return--;
        finish_release(w->c, a);
}

/* A window is made for a queue that has the workers for itself. So those of many queues together
 * hold far more than the workers soon run. */
static void share_windows(struct consumer *c)
{
        unsigned concurrency = (unsigned)c->settings->concurrency;
        struct waiting w = {.c = c, .may_return = BACK_AT_ONCE};

        ready_each(&c->ready, count_waiting, &w);
        if (w.us / concurrency <= AHEAD_MAX * 1000.0)
                return;
        w.share = window_share_size(concurrency, w.us / w.jobs, w.queues);
        ready_each(&c->ready, share_one, &w);
        if (w.may_return < BACK_AT_ONCE)
                LOG_INFO("more jobs wait than the workers soon run; some are requeued",
                         log_int("jobs", BACK_AT_ONCE - w.may_return), log_int("queues", w.queues),
                         log_int("window", w.share));
}

static void check_idle(struct consumer *c, msec now)
{
        bool idle = c->running < (unsigned)c->settings->concurrency && c->ready.count == 0;

        c->idle_for = idle ? c->idle_for + 1 : 0;
        if (c->idle_for >= IDLE_AFTER)
                subscriptions_unshare(c->subscriptions, now);
}

void flow_check(struct consumer *c)
{
        msec now = clock_mono();
        msec since = now - c->changed_at;

        if (c->stalled)
                return;
        check_idle(c, now);
        if (c->running < (unsigned)c->settings->concurrency)
                return;
        if (since < STALLED_AFTER) {
                share_windows(c);
                return;
        }
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
