/* SPDX-License-Identifier: Apache-2.0
 *
 * type_limits.c: for each type: its mean run time, and its jobs in each queue while they wait for a
 * limit of the type.
 */
#include "consumer/type_limits.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "consumer/departure.h"
#include "consumer/finish.h"
#include "consumer/return_plan.h"

enum {
        WAITS_AT_MOST = 1000,  /* ms that a job too many waits here while it blocks no other */
        UNKNOWN_MEAN_MS = 100, /* of a type with no ended run yet */
        AVERAGE_SHARE = 16,    /* the newest run has weight 1/16 */
        SILENCE_MAX = 1000,    /* ms without a run here that say something of other consumers */
};

/* A type with a handler. */
struct limited_type {
        char type[JOB_TYPE_SIZE];
        double mean_ms;  /* of a run, moving average; 0: unknown */
        msec changed_at; /* monotonic; when a run last started or ended */
        unsigned shares; /* queues with jobs of it */
        UT_hash_handle hh;
};

/* What makes a type's jobs wait, other than a lack of free workers. */
struct bound {
        int64_t most;   /* of its jobs may run here at once */
        double each_ms; /* the limit's time per job */
};

/* Zero-padded, for hashing. */
struct share_key {
        char type[JOB_TYPE_SIZE];
        char tenant[TENANT_SIZE];
        enum lane lane;
};

/* The jobs of one type in one queue, while some wait here or are away. */
struct share {
        struct share_key key;
        struct limited_type *type;
        struct return_plan returns;
        unsigned seen; /* jobs seen by the type_limits_check in progress */
        UT_hash_handle hh;
};

struct type_limits {
        struct limited_type *types;
        struct share *shares;
};

struct type_limits *type_limits_create(void)
{
        return xcalloc(1, sizeof(struct type_limits));
}

static void drop_share(struct type_limits *limits, struct share *s)
{
        s->type->shares--;
        HASH_DEL(limits->shares, s);
        free(s);
}

void type_limits_destroy(struct type_limits **limits)
{
        struct share *s, *next_share;
        struct limited_type *k, *next_type;

        if (*limits == NULL)
                return;
        HASH_ITER (hh, (*limits)->shares, s, next_share)
                drop_share(*limits, s);
        HASH_ITER (hh, (*limits)->types, k, next_type) {
                HASH_DEL((*limits)->types, k);
                free(k);
        }
        free(*limits);
        *limits = NULL;
}

static struct limited_type *type_of(struct type_limits *limits, const struct handler *h)
{
        struct limited_type *k;

        HASH_FIND_STR(limits->types, h->type, k);
        if (k != NULL)
                return k;
        k = xcalloc(1, sizeof(*k));
        k->changed_at = clock_mono();
        memcpy(k->type, h->type, sizeof(k->type));
        HASH_ADD_STR(limits->types, type, k);
        return k;
}

static struct share *share_of(struct type_limits *limits, const struct handler *h,
                              const struct tenant_queue *f)
{
        struct share_key key;
        struct share *s;

        memset(&key, 0, sizeof(key));
        memcpy(key.type, h->type, strnlen(h->type, sizeof(key.type)));
        memcpy(key.tenant, f->tenant->name, strnlen(f->tenant->name, sizeof(key.tenant)));
        key.lane = f->lane;
        HASH_FIND(hh, limits->shares, &key, sizeof(key), s);
        if (s != NULL)
                return s;
        s = xcalloc(1, sizeof(*s));
        s->key = key;
        s->type = type_of(limits, h);
        s->type->shares++;
        HASH_ADD(hh, limits->shares, key, sizeof(s->key), s);
        return s;
}

void type_limits_started(struct type_limits *limits, const struct handler *h, msec mono_now)
{
        type_of(limits, h)->changed_at = mono_now;
}

void type_limits_ended(struct type_limits *limits, const struct handler *h, int64_t us,
                       msec mono_now)
{
        struct limited_type *k = type_of(limits, h);
        double ms = (us < 1 ? 1 : (double)us) / 1000;

        k->mean_ms = k->mean_ms == 0 ? ms : k->mean_ms + (ms - k->mean_ms) / AVERAGE_SHARE;
        k->changed_at = mono_now;
}

/* The time per job of `slots` places: by the mean run, or by the longer time without a start or
 * end of one. */
static double each_ms(const struct limited_type *k, int64_t slots, msec without)
{
        double mean = k->mean_ms == 0 ? UNKNOWN_MEAN_MS : k->mean_ms;
        double silence = (double)without;

        return (silence > mean ? silence : mean) / (double)slots;
}

/* Likewise, of places that are shared with other consumers, whose runs are not seen here. They are
 * full since `full`: before, nobody here wanted one, or could have had it. */
static double each_ms_shared(const struct limited_type *k, int64_t slots, msec full, msec now)
{
        msec without = now - (full > k->changed_at ? full : k->changed_at);

        return each_ms(k, slots, without < SILENCE_MAX ? without : SILENCE_MAX);
}

/* The slower limit counts. */
static void add_bound(struct bound *b, int64_t most, double each)
{
        if (each > b->each_ms)
                *b = (struct bound){.most = most, .each_ms = each};
}

/* False: a lack of free workers makes its jobs wait, if anything. */
static bool find_bound(struct consumer *c, const struct handler *h, struct bound *out)
{
        int64_t workers = c->settings->concurrency,
                slots = type_slots_limit(c->type_slots, h->type);
        const struct limited_type *k = type_of(c->type_limits, h);
        msec now = clock_mono(), full = 0;

        *out = (struct bound){0};
        if (h->concurrency > 0 && h->concurrency < workers && !runner_has_room(c->runner, h))
                add_bound(out, h->concurrency, each_ms(k, h->concurrency, now - k->changed_at));
        if (type_slots_are_full(c->type_slots, h->type, &full))
                add_bound(out, slots < workers ? slots : workers,
                          each_ms_shared(k, slots, full, now));
        add_bound(out, workers, type_rate_waits_ms(c->type_rate, h->type));
        return out->each_ms > 0;
}

/* Enough of the queue's window is taken that jobs of other types may be kept from coming. */
static bool is_in_the_way(const struct tenant_queue *f)
{
        return f->held >= window_prefetch(&f->window) / 2;
}

static unsigned count_waiting(const struct tenant_queue *f, const struct handler *h)
{
        unsigned count = 0;

        for (int p = 0; p < PRIORITY_COUNT; p++) {
                for (const struct attempt *a = f->tenant->waiting[p]; a != NULL; a = a->next)
                        count += a->queue == f && a->handler == h;
        }
        return count;
}

/* The queues with jobs of the type share its limit, so the time per job grows with their number. */
static void send_away(struct consumer *c, struct attempt *a, const struct bound *b,
                      unsigned waiting)
{
        struct share *s = share_of(c->type_limits, a->handler, a->queue);
        double each = b->each_ms * s->type->shares;

        metric_increment(c->measures.hops, 1, "limit");
        departure_hop(a, return_plan_next(&s->returns, waiting, each, clock_mono()), clock_wall());
        finish_publish(c, a);
}

bool type_limits_takes(struct consumer *c, struct attempt *a, const struct handler *h)
{
        struct bound b;

        if (!is_in_the_way(a->queue) || !find_bound(c, h, &b))
                return false;
        unsigned waiting = count_waiting(a->queue, h);
        if (waiting < return_plan_keep(b.most, b.each_ms))
                return false;
        a->handler = h;
        send_away(c, a, &b, waiting);
        return true;
}

static void check_attempt(void *owner, struct attempt *a)
{
        struct consumer *c = owner;
        struct bound b;

        if (!find_bound(c, a->handler, &b))
                return;
        struct share *s = share_of(c->type_limits, a->handler, a->queue);
        unsigned keep = return_plan_keep(b.most, b.each_ms);
        bool waits = s->seen < keep ||
                     (!is_in_the_way(a->queue) && clock_mono() - a->arrived_at < WAITS_AT_MOST);
        s->seen++;
        if (waits) {
                a->queue->limited++;
                return;
        }
        ready_remove(&c->ready, a);
        send_away(c, a, &b, keep);
}

void type_limits_check(struct consumer *c)
{
        struct share *s, *after;
        msec now = clock_mono();

        ready_each(&c->ready, check_attempt, c);
        HASH_ITER (hh, c->type_limits->shares, s, after) {
                if (s->seen == 0 && return_plan_is_over(&s->returns, now))
                        drop_share(c->type_limits, s);
                else
                        s->seen = 0;
        }
}
