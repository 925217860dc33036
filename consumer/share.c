/* SPDX-License-Identifier: Apache-2.0
 *
 * share.c: a window is made for a queue that has the workers for itself. So those of many queues
 * together hold far more than the workers soon run. None is left out: a queue whose jobs had to
 * wait until others are done would lose its tenant's turns.
 */
#include "consumer/share.h"

#include "common/base/log.h"
#include "consumer/finish.h"

enum {
        AHEAD_MAX = 2000, /* ms of work that may wait here for workers */
        BACK_AT_ONCE =
                256,    /* requeued in one check: each is looked up when it is delivered again */
        IDLE_AFTER = 2, /* checks; between a run's end and the next delivery a worker is idle */
};

/* The jobs that wait here and could run elsewhere. */
struct waiting {
        struct consumer *c;
        unsigned jobs;
        unsigned asked;        /* further ones that are looked up first */
        double us;             /* the time that they will run */
        double weights, least; /* of their queues: the sum, the smallest */
        unsigned most;         /* jobs that may wait here */
        unsigned returned;
};

/* A job whose type has a limit has a plan of its own, see type_limits.c. One that waits for its
 * tenant's token counts: it could wait in its queue. */
static bool waits_for_worker(const struct consumer *c, const struct attempt *a)
{
        return !ready_is_limited(&c->ready, a->handler);
}

static void count_one(void *owner, struct attempt *a)
{
        struct waiting *w = owner;
        const struct window *known = &a->queue->window;
        double weight = (double)a->queue->tenant->weight;

        if (known->samples == 0)
                known = &w->c->runs;
        if (known->samples == 0 || !waits_for_worker(w->c, a))
                return;
        w->jobs++;
        w->us += known->mean_us;
        if (a->queue->waiting++ > 0)
                return;
        w->weights += weight;
        if (w->least == 0 || weight < w->least)
                w->least = weight;
}

static unsigned jobs_in(const struct consumer *c, double mean_us)
{
        unsigned concurrency = (unsigned)c->settings->concurrency;
        double jobs = mean_us < 1 ? 0 : AHEAD_MAX * 1000.0 * concurrency / mean_us;

        return jobs > concurrency ? (unsigned)jobs : concurrency;
}

static struct waiting count_waiting(struct consumer *c)
{
        struct waiting w = {.c = c};
        const struct attempt *a;

        for (a = c->attempts.table; a != NULL; a = a->hh.next)
                w.asked += a->state == STATE_ASKED;
        ready_each(&c->ready, count_one, &w);
        w.most = jobs_in(c, w.jobs == 0 ? c->runs.mean_us : w.us / w.jobs);
        return w;
}

/* At least as many as the tenant may start while one of the smallest weight starts one. */
static uint16_t share_of(const struct waiting *w, const struct tenant *t)
{
        unsigned concurrency = (unsigned)w->c->settings->concurrency;
        double turn = (double)t->weight / w->least;
        uint16_t share =
                window_share_size(concurrency, w->us / w->jobs, (double)t->weight / w->weights);

        if (turn > concurrency)
                turn = concurrency;
        return turn > share ? (uint16_t)turn : share;
}

/* Keeps the oldest of each queue. */
static void share_one(void *owner, struct attempt *a)
{
        struct waiting *w = owner;
        struct tenant_queue *f = a->queue;

        if (f->waiting == 0 || !waits_for_worker(w->c, a))
                return;
        if (f->kept == 0)
                subscriptions_share(w->c->subscriptions, f, share_of(w, f->tenant), clock_mono());
        if (f->kept < f->window.size || w->returned == BACK_AT_ONCE || !finish_may_release(a)) {
                f->kept++;
                return;
        }
        w->returned++;
        finish_release(w->c, a);
}

static void check_idle(const struct waiting *w)
{
        struct consumer *c = w->c;
        bool idle = c->running + c->picked < (unsigned)c->settings->concurrency &&
                    w->jobs + w->asked == 0;

        c->idle_for = idle ? c->idle_for + 1 : 0;
        if (c->idle_for >= IDLE_AFTER)
                subscriptions_unshare(c->subscriptions, clock_mono());
}

void share_check(struct consumer *c)
{
        struct waiting w = count_waiting(c);

        check_idle(&w);
        if (w.jobs <= w.most)
                return;
        ready_each(&c->ready, share_one, &w);
        if (w.returned > 0)
                LOG_INFO("more jobs wait than the workers soon run; some are requeued",
                         log_int("requeued", w.returned), log_int("of", w.jobs));
}
