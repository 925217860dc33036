/* SPDX-License-Identifier: Apache-2.0
 *
 * start_test.c: an attempt that waits for its type's slot, and what may happen to it meanwhile.
 */
#include "consumer/expiry.h"
#include "consumer/type_limits.h"
#include "tests/unit/start_rig.h"

static const struct handler new_handler = {.type = "mail", .timeout = MSEC_MINUTE};
static const struct handler stopping_handler = {.type = "mail", .stop_on_link_loss = true};

static void it_runs_when_the_slot_comes(void **state)
{
        (void)state;
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.job->state, STATE_RUNNING);
        assert_ptr_equal(f.ran, &old_handler);
        assert_int_equal(f.c->picked, 0);
        assert_int_equal(f.c->running, 1);
}

static void it_waits_again_when_none_comes(void **state)
{
        (void)state;
        wait_in_vain();
        assert_int_equal(f.job->state, STATE_WAITING);
        assert_ptr_equal(f.job, f.tenant->waiting[0]);
        assert_null(f.job->slot);
        assert_null(f.ran);
}

static void a_pause_of_its_type_is_in_time(void **state)
{
        (void)state;
        f.paused = true;
        accept_review(f.c);
        fake_tokens_deliver(TYPE_QUEUE);
        assert_int_equal(f.job->state, STATE_LEAVING);
        assert_int_equal(f.published, 1);
        assert_nothing_is_left();
}

static void a_handler_that_is_gone_runs_nothing(void **state)
{
        (void)state;
        f.handler = NULL;
        accept_review(f.c);
        fake_tokens_deliver(TYPE_QUEUE);
        assert_int_equal(f.job->state, STATE_LEAVING);
        assert_int_equal(f.published, 1);
        assert_nothing_is_left();
}

/* The tenant has no other job here: it has left the ring, and has missed no turn. */
static void a_handler_that_is_gone_and_no_slot(void **state)
{
        (void)state;
        f.handler = NULL;
        accept_review(f.c);
        wait_in_vain();
        assert_int_equal(f.job->state, STATE_LEAVING);
        assert_nothing_is_left();
}

/* Its `cancelled` goes into a batch, which is published at the end of the turn. */
static void one_that_has_expired_runs_nothing(void **state)
{
        (void)state;
        f.job->job.expires_at = clock_wall() - 1;
        fake_tokens_deliver(TYPE_QUEUE);
        assert_int_equal(f.job->state, STATE_LEAVING);
        assert_int_equal(f.job->departure, DEPART_EXPIRE);
        assert_true(events_are_pending(f.c->events));
        assert_nothing_is_left();
}

/* Without a slot, and without a worker: found by the look every 250 ms. */
static void one_that_expires_while_it_waits_runs_nothing(void **state)
{
        struct attempt *a;

        (void)state;
        wait_in_vain();
        assert_int_equal(f.c->ready.expiring, 0);
        ready_remove(&f.c->ready, f.job);
        f.job->job.expires_at = clock_wall() + MSEC_HOUR;
        ready_add(&f.c->ready, f.job);
        a = add_waiting();
        assert_int_equal(f.c->ready.expiring, 1);
        expiry_check(f.c);
        assert_int_equal(f.job->state, STATE_WAITING);
        f.job->job.expires_at = clock_wall();
        expiry_check(f.c);
        assert_int_equal(f.job->departure, DEPART_EXPIRE);
        assert_int_equal(f.job->state, STATE_LEAVING);
        assert_int_equal(a->state, STATE_WAITING);
        assert_int_equal(f.c->ready.expiring, 0);
        assert_int_equal(f.c->ready.count, 1);
}

static void a_changed_handler_is_used(void **state)
{
        (void)state;
        f.handler = &new_handler;
        accept_review(f.c);
        fake_tokens_deliver(TYPE_QUEUE);
        start_ready(f.c); /* by the same tokens */
        assert_int_equal(f.job->state, STATE_RUNNING);
        assert_ptr_equal(f.ran, &new_handler);
        assert_int_equal(fake.returned, 0);
}

static void without_room_in_the_system_it_waits_again(void **state)
{
        (void)state;
        f.no_room = true;
        fake_tokens_deliver(TYPE_QUEUE);
        assert_int_equal(f.job->state, STATE_WAITING);
        assert_true(f.tenant->waiting_count == 1);
}

static void a_pause_of_its_tenant_requeues_it(void **state)
{
        struct tenant_record paused = acme;

        (void)state;
        paused.paused = true;
        assert_ptr_equal(subscriptions_tenant(f.c->subscriptions, &paused), f.tenant);
        slots_tenant(f.c->slots, f.tenant, &paused);
        finish_release_all(f.c, f.tenant);
        assert_int_equal(f.requeued, 1);
        assert_false(fake_tokens_deliver(TYPE_QUEUE));
        assert_nothing_is_left();
}

static void a_drain_requeues_it(void **state)
{
        (void)state;
        stop_begin(f.c);
        assert_int_equal(f.requeued, 1);
        assert_false(fake_tokens_deliver(TYPE_QUEUE));
        assert_nothing_is_left();
}

static void without_its_delivery_it_is_dropped(void **state)
{
        struct err why = {0};

        (void)state;
        f.consume->down(f.c, &why);
        assert_null(f.c->attempts.table);
        assert_false(fake_tokens_deliver(TYPE_QUEUE));
        assert_nothing_is_left();
}

static void without_the_link_of_tokens_it_waits_again(void **state)
{
        struct err why = {0};

        (void)state;
        fake_tokens_lose();
        f.slots->down(f.c, &why);
        assert_int_equal(f.job->state, STATE_WAITING);
        assert_null(f.job->slot);
        start_ready(f.c);
        assert_null(f.ran);
        assert_int_equal(fake_tokens_taken(), 0);
        f.slots->up(f.c);
        start_ready(f.c);
        assert_true(fake_tokens_deliver(TENANT_QUEUE));
        start_ready(f.c);
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.job->state, STATE_RUNNING);
}

/* The seconds before, in which no job of the type asked for a slot, do not say how long one takes.
 */
static void jobs_are_sent_away_by_the_time_for_which_their_type_is_full(void **state)
{
        (void)state;
        type_limits_started(f.c->type_limits, &old_handler, fake.now);
        for (int i = 0; i < 20; i++)
                add_waiting();
        fake.now += 10 * MSEC_SECOND;
        wait_in_vain();
        type_limits_check(f.c);
        assert_int_equal(f.published, 0);
        fake.now += TYPE_SLOT_FULL - 1;
        type_limits_check(f.c);
        assert_int_equal(f.published, 11); /* 10 s of work stay: 10 jobs */
}

/* Slots that come, however late, do say it. */
static void a_slot_that_comes_ends_the_time_for_which_its_type_is_full(void **state)
{
        (void)state;
        type_limits_started(f.c->type_limits, &old_handler, fake.now);
        for (int i = 0; i < 20; i++)
                add_waiting();
        wait_in_vain();
        fake.now += TYPE_SLOT_FULL - 1;
        assert_true(fake_tokens_deliver(TYPE_QUEUE)); /* no worker is free for it */
        type_slots_turn(f.c->type_slots, 0);
        fake.now += MSEC_SECOND;
        start_ready(f.c);
        assert_true(fake_tokens_deliver(TENANT_QUEUE));
        start_ready(f.c);
        assert_int_equal(f.c->picked, 1);
        wait_in_vain();
        type_limits_check(f.c);
        assert_int_equal(f.published, 0);
}

static void after_a_stop_a_slot_that_was_on_its_way_starts_nothing(void **state)
{
        (void)state;
        fake.now += STOP;
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.job->state, STATE_WAITING);
        start_ready(f.c);
        assert_null(f.ran);
        assert_int_equal(fake_tokens_taken(), 0);
        assert_true(fake_tokens_deliver(TENANT_QUEUE));
        start_ready(f.c); /* as before */
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.job->state, STATE_RUNNING);
}

static void after_a_stop_none_waits_with_its_tenants_slot(void **state)
{
        (void)state;
        fake.now += STOP;
        start_ready(f.c);
        assert_int_equal(f.job->state, STATE_WAITING);
        assert_int_equal(fake.returned, 1);
        assert_int_equal(fake_tokens_taken(), 0);
}

/* What comes on the subscriptions of before is not read any more. */
static void after_a_stop_tokens_are_asked_for_anew(void **state)
{
        (void)state;
        wait_in_vain(); /* of a full type one stays asked for */
        start_ready(f.c);
        fake.now += SLOT_WAIT;
        start_ready(f.c);
        assert_int_equal(fake_tokens_wanted(TYPE_QUEUE), 1);
        assert_int_equal(fake_tokens_taken(), 0);
        fake.now += 200; /* the type may be asked again, */
        start_ready(f.c);
        assert_int_equal(fake_tokens_wanted(TENANT_QUEUE), 1); /* and so the tenant's slots */
        fake.ended = 0;
        fake.now += MSEC_SECOND;
        start_ready(f.c);
        assert_int_equal(fake.ended, 2);
        assert_int_equal(fake_tokens_wanted(TENANT_QUEUE), 1);
}

static void after_a_stop_a_spare_slot_of_the_type_starts_nothing(void **state)
{
        (void)state;
        lift_the_tenants_limit();
        wait_in_vain();
        assert_true(fake_tokens_deliver(TYPE_QUEUE)); /* late: none asks */
        fake.now += STOP;
        start_ready(f.c);
        assert_null(f.ran);
        assert_int_equal(fake_tokens_taken(), 0);
}

static void after_a_stop_a_token_of_the_rate_starts_nothing(void **state)
{
        const struct type_record mail = {.name = "mail",
                                         .max_running = RECORD_UNLIMITED,
                                         .rate_count = 10,
                                         .rate_per = MSEC_SECOND,
                                         .rate_version = 1};

        (void)state;
        wait_in_vain();
        lift_the_tenants_limit();
        type_slots_record(f.c->type_slots, &mail);
        type_rate_record(f.c->type_rate, &mail);
        start_ready(f.c);
        assert_true(fake_tokens_deliver(RATE_QUEUE));
        fake.ended = 0;
        fake.now += STOP;
        start_ready(f.c);
        assert_null(f.ran);
        assert_int_equal(fake_tokens_taken(), 0);
        assert_int_equal(fake.ended, 1);
        fake.now += STOP; /* none is held, and one asked for */
        start_ready(f.c);
        assert_int_equal(fake.ended, 2);
        assert_true(fake_tokens_deliver(RATE_QUEUE));
        start_ready(f.c);
        assert_non_null(f.ran);
}

/* It has returned its tokens, and has no fresh ones yet. */
static void run_for_long(void)
{
        f.handler = f.job->handler = &stopping_handler;
        fake_tokens_deliver(TYPE_QUEUE);
        assert_int_equal(f.job->state, STATE_RUNNING);
        fake.now += TYPE_SLOT_HELD_MAX;
        start_ready(f.c);
        for (int i = 0; i < 2; i++) {
                slots_check(f.c->slots);
                type_slots_tick(f.c->type_slots, fake.now);
        }
        assert_int_equal(fake.returned, 2);
}

static void one_that_exchanges_its_tokens_has_not_lost_them(void **state)
{
        struct err why = {0};

        (void)state;
        run_for_long();
        f.slots->down(f.c, &why); /* only a channel */
        assert_int_equal(f.stopped, 0);
        f.slots->up(f.c);
        start_ready(f.c);
        assert_true(fake_tokens_deliver(TENANT_QUEUE));
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        fake_tokens_lose();
        f.slots->down(f.c, &why);
        assert_int_equal(f.stopped, 1);
}

static void with_its_link_one_that_exchanges_its_tokens_loses_them(void **state)
{
        struct err why = {0};

        (void)state;
        run_for_long();
        f.link_is_down = true;
        f.slots->down(f.c, &why);
        assert_int_equal(f.stopped, 1);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)
                TEST(it_runs_when_the_slot_comes),
                TEST(it_waits_again_when_none_comes),
                TEST(a_pause_of_its_type_is_in_time),
                TEST(a_handler_that_is_gone_runs_nothing),
                TEST(a_handler_that_is_gone_and_no_slot),
                TEST(one_that_has_expired_runs_nothing),
                TEST(one_that_expires_while_it_waits_runs_nothing),
                TEST(a_changed_handler_is_used),
                TEST(without_room_in_the_system_it_waits_again),
                TEST(a_pause_of_its_tenant_requeues_it),
                TEST(a_drain_requeues_it),
                TEST(without_its_delivery_it_is_dropped),
                TEST(without_the_link_of_tokens_it_waits_again),
                TEST(jobs_are_sent_away_by_the_time_for_which_their_type_is_full),
                TEST(a_slot_that_comes_ends_the_time_for_which_its_type_is_full),
                TEST(one_that_exchanges_its_tokens_has_not_lost_them),
                TEST(with_its_link_one_that_exchanges_its_tokens_loses_them),
                TEST(after_a_stop_a_slot_that_was_on_its_way_starts_nothing),
                TEST(after_a_stop_none_waits_with_its_tenants_slot),
                TEST(after_a_stop_tokens_are_asked_for_anew),
                TEST(after_a_stop_a_spare_slot_of_the_type_starts_nothing),
                TEST(after_a_stop_a_token_of_the_rate_starts_nothing),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
