/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriptions.c: after every change is_wanted decides which queues are subscribed.
 */
#include "consumer/subscriptions.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/memory.h"

struct subscriptions {
        struct link *link;
        unsigned concurrency;
        queue_delivery_fn *on;
        void *owner;
        bool open, full;
        bool suspended; /* some queue is */
        struct tenant *tenants;
};

static bool is_wanted(const struct subscriptions *s, const struct tenant_queue *f)
{
        return s->open && f->tenant->wanted && !f->suspended && !(s->full && f->held > 0);
}

static void on_delivery(void *owner, struct delivery *d);

static void subscribe(struct subscriptions *s, struct tenant_queue *f)
{
        char queue[sizeof("jobs..critical") + TENANT_SIZE];

        snprintf(queue, sizeof(queue), "jobs.%s.%s", f->tenant->name, lane_name(f->lane));
        const struct source source = {.queue = queue, .prefetch = window_prefetch(&f->window)};
        f->subscription = link_subscribe(s->link, &source, on_delivery, f);
}

static void apply(struct subscriptions *s, struct tenant_queue *f)
{
        bool wanted = is_wanted(s, f);

        if (wanted && f->subscription == NULL)
                subscribe(s, f);
        else if (!wanted && f->subscription != NULL)
                link_unsubscribe(&f->subscription);
}

static void on_delivery(void *owner, struct delivery *d)
{
        struct tenant_queue *f = owner;
        struct subscriptions *s = f->tenant->home;

        s->on(s->owner, f, d);
        if (s->full && f->subscription != NULL)
                apply(s, f);
}

static void apply_to_tenant(struct subscriptions *s, struct tenant *t)
{
        for (int lane = 0; lane < LANE_COUNT; lane++)
                apply(s, &t->queues[lane]);
}

static void apply_to_all(struct subscriptions *s)
{
        struct tenant *t, *after;

        HASH_ITER (hh, s->tenants, t, after)
                apply_to_tenant(s, t);
}

struct subscriptions *subscriptions_create(struct link *l, unsigned concurrency,
                                           queue_delivery_fn *on, void *owner)
{
        struct subscriptions *s = xcalloc(1, sizeof(*s));

        s->link = l;
        s->concurrency = concurrency;
        s->on = on;
        s->owner = owner;
        return s;
}

static void forget(struct subscriptions *s, struct tenant *t)
{
        assert(t->attempts == 0);
        HASH_DELETE(hh, s->tenants, t);
        free(t);
}

void subscriptions_destroy(struct subscriptions **s)
{
        struct tenant *t, *after;

        if (*s == NULL)
                return;
        subscriptions_close(*s);
        HASH_ITER (hh, (*s)->tenants, t, after)
                forget(*s, t);
        free(*s);
        *s = NULL;
}

static struct tenant *add_tenant(struct subscriptions *s, const char *name)
{
        struct tenant *t = xcalloc(1, sizeof(*t));
        msec now = clock_mono();

        snprintf(t->name, sizeof(t->name), "%s", name);
        t->home = s;
        for (int lane = 0; lane < LANE_COUNT; lane++) {
                struct tenant_queue *f = &t->queues[lane];
                f->tenant = t;
                f->lane = (enum lane)lane;
                window_init(&f->window, s->concurrency, now);
        }
        HASH_ADD_STR(s->tenants, name, t);
        return t;
}

struct tenant *subscriptions_tenant(struct subscriptions *s, const struct tenant_record *r)
{
        struct tenant *t;

        HASH_FIND_STR(s->tenants, r->name, t);
        if (t == NULL && r->deleted)
                return NULL;
        if (t == NULL)
                t = add_tenant(s, r->name);
        t->wanted = !r->deleted && !r->paused;
        t->deleted = r->deleted;
        t->weight = r->weight < 1 ? 1 : r->weight;
        apply_to_tenant(s, t);
        return t;
}

void subscriptions_open(struct subscriptions *s)
{
        s->open = true;
        LOG_INFO("taking jobs", log_int("tenants", HASH_COUNT(s->tenants)));
        apply_to_all(s);
}

void subscriptions_close(struct subscriptions *s)
{
        s->open = false;
        apply_to_all(s);
}

void subscriptions_set_full(struct subscriptions *s, bool full)
{
        if (s->full == full)
                return;
        s->full = full;
        apply_to_all(s);
}

void subscriptions_suspend(struct subscriptions *s, struct tenant_queue *f)
{
        f->suspended = true;
        s->suspended = true;
        apply(s, f);
}

bool subscriptions_resume(struct subscriptions *s)
{
        struct tenant *t, *after;

        if (!s->suspended)
                return false;
        s->suspended = false;
        HASH_ITER (hh, s->tenants, t, after) {
                for (int lane = 0; lane < LANE_COUNT; lane++)
                        t->queues[lane].suspended = false;
                apply_to_tenant(s, t);
        }
        return true;
}

static void resize(struct subscriptions *s, struct tenant_queue *f)
{
        LOG_DEBUG("window changed", log_text("tenant", f->tenant->name),
                  log_text("lane", lane_name(f->lane)),
                  log_int("size", window_prefetch(&f->window)));
        link_unsubscribe(&f->subscription);
        subscribe(s, f);
}

static void adjust(struct subscriptions *s, struct tenant_queue *f, msec now)
{
        unsigned due = window_due_spare(&f->window, s->concurrency, f->due);
        bool changed = window_spare(&f->window, f->limited + due, now);

        f->limited = 0;
        if (f->subscription == NULL)
                return;
        changed |= window_adjust(&f->window, s->concurrency, now);
        if (changed)
                resize(s, f);
}

void subscriptions_make_room(struct subscriptions *s, struct tenant_queue *f)
{
        unsigned due = window_due_spare(&f->window, s->concurrency, 2 * f->due);
        bool in_the_way = f->held >= window_prefetch(&f->window) / 2;

        if (!in_the_way || due <= f->window.spare || f->subscription == NULL ||
            !window_spare(&f->window, due, clock_mono()))
                return;
        resize(s, f);
}

void subscriptions_adjust(struct subscriptions *s, msec mono_now)
{
        struct tenant *t, *after;

        HASH_ITER (hh, s->tenants, t, after) {
                /* While full, a queue with no delivery held here is subscribed again. */
                apply_to_tenant(s, t);
                for (int lane = 0; lane < LANE_COUNT; lane++)
                        adjust(s, &t->queues[lane], mono_now);
                if (t->deleted && t->attempts == 0)
                        forget(s, t);
        }
}

static void collapse(struct subscriptions *s, struct tenant_queue *f, msec stalled, msec now)
{
        if (f->window.size <= s->concurrency)
                return;
        window_collapse(&f->window, s->concurrency, stalled * 1000, now);
        if (f->subscription != NULL)
                resize(s, f);
}

void subscriptions_collapse(struct subscriptions *s, msec stalled, msec mono_now)
{
        struct tenant *t, *after;

        HASH_ITER (hh, s->tenants, t, after) {
                for (int lane = 0; lane < LANE_COUNT; lane++)
                        collapse(s, &t->queues[lane], stalled, mono_now);
        }
}
