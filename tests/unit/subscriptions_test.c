/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriptions_test.c: which queues are subscribed when tenants come, pause and go, and while the
 * consumer is full. A fake replaces the link.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "consumer/subscriptions.h"
#include "tests/unit/unit.h"

/* The number of queues subscribed now, and the settings of each subscription. */
static struct {
        char queue[64];
        void *owner;
} open_now[16];
static size_t open_count;

struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner);
void __wrap_link_unsubscribe(struct subscription **s);

struct subscription *__wrap_link_subscribe(struct link *l, const struct source *s, delivery_fn *on,
                                           void *owner)
{
        (void)l;
        (void)on;
        for (size_t i = 0; i < sizeof(open_now) / sizeof(open_now[0]); i++) {
                if (open_now[i].owner != NULL)
                        continue;
                snprintf(open_now[i].queue, sizeof(open_now[i].queue), "%s", s->queue);
                open_now[i].owner = owner;
                open_count++;
                return (struct subscription *)(void *)&open_now[i];
        }
        fail();
        return NULL;
}

void __wrap_link_unsubscribe(struct subscription **s)
{
        memset(*s, 0, sizeof(open_now[0]));
        *s = NULL;
        open_count--;
}

static bool is_open(const char *queue)
{
        for (size_t i = 0; i < sizeof(open_now) / sizeof(open_now[0]); i++) {
                if (open_now[i].owner != NULL && strcmp(open_now[i].queue, queue) == 0)
                        return true;
        }
        return false;
}

static struct tenant *tell(struct subscriptions *s, const char *name, bool paused, bool deleted)
{
        struct tenant_record r = {.weight = 1, .paused = paused, .deleted = deleted};

        snprintf(r.name, sizeof(r.name), "%s", name);
        return subscriptions_tenant(s, &r);
}

static void tenants_come_and_go(void **state)
{
        struct subscriptions *s = subscriptions_create(NULL, 4, NULL, NULL);

        (void)state;
        assert_null(tell(s, "gone", false, true));
        tell(s, "acme", false, false);
        assert_int_equal(open_count, 0); /* nothing is subscribed before it is opened */
        subscriptions_open(s);
        assert_int_equal(open_count, LANE_COUNT);
        assert_true(is_open("jobs.acme.critical"));
        tell(s, "acme", true, false);
        assert_int_equal(open_count, 0);
        struct tenant *t = tell(s, "acme", false, false);
        assert_int_equal(open_count, LANE_COUNT);
        t->attempts = 1;
        tell(s, "acme", false, true);
        assert_int_equal(open_count, 0);
        subscriptions_adjust(s, 0); /* the tenant stays until its last attempt has ended */
        assert_ptr_equal(tell(s, "acme", false, false), t);
        t->attempts = 0;
        subscriptions_close(s);
        assert_int_equal(open_count, 0);
        subscriptions_destroy(&s);
}

static void a_full_consumer_still_serves_queues_it_holds_nothing_of(void **state)
{
        struct subscriptions *s = subscriptions_create(NULL, 4, NULL, NULL);

        (void)state;
        subscriptions_open(s);
        struct tenant *big = tell(s, "big", false, false);
        struct tenant *small = tell(s, "small", false, false);
        big->queues[LANE_LOW].held = 3;
        small->queues[LANE_HIGH].held = 1;
        subscriptions_set_full(s, true);
        assert_int_equal(open_count, 2 * LANE_COUNT - 2);
        assert_false(is_open("jobs.big.low"));
        assert_false(is_open("jobs.small.high"));

        /* The jobs that fill the consumer may run for hours. A queue with none held need not wait
         * for them. */
        small->queues[LANE_HIGH].held = 0;
        subscriptions_adjust(s, 0);
        assert_true(is_open("jobs.small.high"));
        assert_false(is_open("jobs.big.low"));
        subscriptions_set_full(s, false);
        assert_int_equal(open_count, 2 * LANE_COUNT);
        subscriptions_destroy(&s);
        assert_int_equal(open_count, 0);
}

static void a_queue_that_is_left_is_subscribed_again_with_the_others(void **state)
{
        struct subscriptions *s = subscriptions_create(NULL, 4, NULL, NULL);

        (void)state;
        subscriptions_open(s);
        struct tenant *acme = tell(s, "acme", false, false);
        assert_false(subscriptions_resume(s));
        subscriptions_suspend(s, &acme->queues[LANE_LOW]);
        subscriptions_suspend(s, &acme->queues[LANE_LOW]);
        subscriptions_suspend(s, &acme->queues[LANE_HIGH]);
        assert_int_equal(open_count, LANE_COUNT - 2);
        acme->queues[LANE_LOW].window.size = acme->queues[LANE_LONG].window.size = 200;
        subscriptions_collapse(s, 5000, 0);
        subscriptions_adjust(s, 0);
        assert_false(is_open("jobs.acme.low"));
        assert_false(is_open("jobs.acme.high"));
        assert_true(is_open("jobs.acme.long"));
        assert_int_equal(acme->queues[LANE_LOW].window.size, 4);
        assert_int_equal(acme->queues[LANE_LONG].window.size, 4);
        tell(s, "acme", true, false);
        assert_true(subscriptions_resume(s));
        assert_int_equal(open_count, 0); /* the tenant was paused meanwhile */
        tell(s, "acme", false, false);
        assert_int_equal(open_count, LANE_COUNT);
        assert_false(subscriptions_resume(s));
        subscriptions_destroy(&s);
}

static void what_is_held_until_due_takes_no_place_in_the_window(void **state)
{
        struct subscriptions *s = subscriptions_create(NULL, 4, NULL, NULL);

        (void)state;
        subscriptions_open(s);
        struct tenant_queue *f = &tell(s, "acme", false, false)->queues[LANE_LOW];
        window_note(&f->window, 1000); /* so at most 4 + 4 × 500 may be held */
        f->held = f->due = 3;
        subscriptions_make_room(s, f); /* most of the window is free */
        assert_int_equal(f->window.spare, 0);
        f->held = f->due = 4;
        subscriptions_make_room(s, f);
        assert_int_equal(f->window.spare, 8);
        f->held = f->due = 5000;
        subscriptions_make_room(s, f);
        assert_int_equal(f->window.spare, WINDOW_SPARE_MAX);
        assert_int_equal(open_count, LANE_COUNT);

        struct tenant_queue *slow = &tell(s, "slow", false, false)->queues[LANE_LOW];
        window_note(&slow->window, 10000000);
        slow->held = slow->due = 5000; /* hours of work, which another consumer could run */
        subscriptions_make_room(s, slow);
        assert_int_equal(slow->window.spare, 8);
        subscriptions_adjust(s, 0);
        assert_int_equal(slow->window.spare, 8);
        subscriptions_destroy(&s);
        assert_int_equal(open_count, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tenants_come_and_go),
                cmocka_unit_test(a_full_consumer_still_serves_queues_it_holds_nothing_of),
                cmocka_unit_test(a_queue_that_is_left_is_subscribed_again_with_the_others),
                cmocka_unit_test(what_is_held_until_due_takes_no_place_in_the_window),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
