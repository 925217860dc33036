/* SPDX-License-Identifier: Apache-2.0
 *
 * flow_test.c: which jobs a consumer requeues when all its workers are busy. A fake replaces the
 * link.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "consumer/finish.h"
#include "consumer/flow.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"

static unsigned acked, requeued, open_count;

void __wrap_link_settle(struct delivery **d, enum settle how);
bool __wrap_delivery_is_live(const struct delivery *d);
struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner);
void __wrap_link_unsubscribe(struct subscription **s);

void __wrap_link_settle(struct delivery **d, enum settle how)
{
        if (how == SETTLE_ACK)
                acked++;
        else
                requeued++;
        free(*d);
        *d = NULL;
}

bool __wrap_delivery_is_live(const struct delivery *d)
{
        (void)d;
        return true;
}

struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner)
{
        static char any;

        (void)l;
        (void)s;
        (void)on;
        (void)owner;
        open_count++;
        return (struct subscription *)(void *)&any;
}

void __wrap_link_unsubscribe(struct subscription **s)
{
        *s = NULL;
        open_count--;
}

/* An attempt that waits for a worker, with the marks that a publisher and the broker gave its
 * message. */
static struct attempt *add_waiting(struct consumer *c, struct tenant_queue *f, bool redelivered,
                                   int64_t count)
{
        static const struct handler handler = {.type = "any"};
        static int64_t run;
        struct delivery *d = xcalloc(1, sizeof(*d));
        struct job job = {.id = ID, .tenant = "acme", .run = ++run};

        d->redelivered = redelivered;
        if (count >= 0)
                message_add_int(&d->message, "x-delivery-count", count);
        struct attempt *a = attempt_create(&job, f, &d, 0);
        attempts_add(&c->attempts, a);
        attempt_move(a, STATE_WAITING);
        a->handler = &handler;
        ready_add(&c->ready, a);
        return a;
}

/* A message that is requeued too often would be buried for that (the queues' delivery limit is
 * 1000), so the consumer holds it. */
static void what_came_back_too_often_stays(void **state)
{
        static const struct {
                bool redelivered;
                int64_t count; /* x-delivery-count; -1: none */
                bool want_back;
        } rows[] =
                {
                        {false, -1, true},  {true, 1, true},    {true, 499, true},
                        {true, 500, false}, {true, 999, false}, {true, -1, true},
                        {false, 500, true}, /* a publisher's count: the broker has none yet */
                };
        const struct consumer_settings settings = {.concurrency = 1, .held_max = 1 << 20};
        const struct tenant_record record = {.name = "acme", .weight = 1};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct consumer *c = xcalloc(1, sizeof(*c));
                c->settings = &settings;
                c->subscriptions = subscriptions_create(NULL, 1, NULL, NULL);
                subscriptions_open(c->subscriptions);
                struct tenant_queue *f =
                        &subscriptions_tenant(c->subscriptions, &record)->queues[LANE_MEDIUM];
                struct attempt *a = add_waiting(c, f, rows[i].redelivered, rows[i].count);
                c->running = 1;
                c->changed_at = clock_mono() - MSEC_MINUTE;
                acked = requeued = 0;

                flow_check(c);
                assert_true(c->stalled);
                assert_int_equal(requeued, rows[i].want_back);
                assert_int_equal(c->attempts.count, !rows[i].want_back);
                assert_int_equal(c->ready.count, !rows[i].want_back);
                assert_int_equal(f->suspended, rows[i].want_back);
                if (!rows[i].want_back)
                        finish_release(c, a);
                assert_int_equal(acked, 0);
                subscriptions_destroy(&c->subscriptions);
                assert_int_equal(open_count, 0);
                free(c);
        }
}

static void who_has_a_free_worker_or_just_had_is_not_stalled(void **state)
{
        static const struct {
                unsigned running;
                msec since;
                bool want;
        } rows[] = {{1, MSEC_MINUTE, false}, {2, 0, false}, {2, MSEC_MINUTE, true}};
        const struct consumer_settings settings = {.concurrency = 2};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct consumer *c = xcalloc(1, sizeof(*c));
                c->settings = &settings;
                c->subscriptions = subscriptions_create(NULL, 2, NULL, NULL);
                c->running = rows[i].running;
                c->changed_at = clock_mono() - rows[i].since;
                flow_check(c);
                assert_int_equal(c->stalled, rows[i].want);
                subscriptions_destroy(&c->subscriptions);
                free(c);
        }
}

/* A consumer of two workers, both busy, that has 20 queues with `each` waiting jobs. */
static struct consumer *with_many_queues(const struct consumer_settings *settings, unsigned each)
{
        struct consumer *c = xcalloc(1, sizeof(*c));

        c->settings = settings;
        c->subscriptions = subscriptions_create(NULL, 2, NULL, NULL);
        subscriptions_open(c->subscriptions);
        for (int i = 0; i < 20; i++) {
                struct tenant_record record = {.weight = 1};
                snprintf(record.name, sizeof(record.name), "tenant-%d", i);
                struct tenant *t = subscriptions_tenant(c->subscriptions, &record);
                for (unsigned n = 0; n < each; n++)
                        add_waiting(c, &t->queues[LANE_MEDIUM], false, -1);
        }
        c->running = 2;
        c->changed_at = clock_mono();
        return c;
}

static void drop(struct consumer *c)
{
        finish_release_all(c, NULL);
        subscriptions_destroy(&c->subscriptions);
        assert_int_equal(open_count, 0);
        free(c);
}

/* Of a tenant of greater weight more may wait, or it could not use its turns. */
static void shares_follow_the_weights(void **state)
{
        const struct consumer_settings settings = {.concurrency = 2};
        struct consumer *c = with_many_queues(&settings, 4);
        struct tenant_record record = {.name = "tenant-7", .weight = 40};
        const struct window *w =
                &subscriptions_tenant(c->subscriptions, &record)->queues[LANE_MEDIUM].window;

        (void)state;
        window_note(&c->runs, 100000);
        flow_check(c);
        assert_int_equal(w->size, 3); /* 4 × 40 ÷ (40 + 19), rounded up */
        c->running = 0;
        drop(c);
}

/* 20 queues × 4 jobs ÷ 2 workers: 40 mean durations of work. */
static void what_many_queues_delivered_is_shared(void **state)
{
        static const struct {
                int64_t mean_us; /* 0: no run has ended */
                unsigned want_kept;
        } rows[] = {{0, 80}, {20000, 80}, {100000, 20}, {1000000, 20}};
        const struct consumer_settings settings = {.concurrency = 2};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct consumer *c = with_many_queues(&settings, 4);
                if (rows[i].mean_us > 0)
                        window_note(&c->runs, rows[i].mean_us);
                for (int check = 0; check < 3; check++) {
                        subscriptions_adjust(c->subscriptions, clock_mono());
                        flow_check(c);
                }
                assert_int_equal(c->ready.count, rows[i].want_kept);
                assert_false(c->stalled);
                drop(c);
        }
}

static void a_worker_with_nothing_to_do_ends_the_sharing(void **state)
{
        const struct consumer_settings settings = {.concurrency = 2};
        struct consumer *c = with_many_queues(&settings, 4);
        const struct tenant_record record = {.name = "tenant-7", .weight = 1};
        const struct window *w =
                &subscriptions_tenant(c->subscriptions, &record)->queues[LANE_MEDIUM].window;

        (void)state;
        window_note(&c->runs, 1000000);
        flow_check(c);
        assert_true(w->shared);
        assert_int_equal(w->size, 1);
        finish_release_all(c, NULL);
        c->running = 1;
        flow_check(c);
        assert_true(w->shared); /* the next delivery may be on its way */
        flow_check(c);
        assert_false(w->shared);
        assert_int_equal(w->size, 4);
        drop(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_came_back_too_often_stays),
                cmocka_unit_test(who_has_a_free_worker_or_just_had_is_not_stalled),
                cmocka_unit_test(what_many_queues_delivered_is_shared),
                cmocka_unit_test(shares_follow_the_weights),
                cmocka_unit_test(a_worker_with_nothing_to_do_ends_the_sharing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
