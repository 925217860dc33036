/* SPDX-License-Identifier: Apache-2.0
 *
 * type_slots_test.c: a type's running limit: who asks, who gets, and what a full type costs.
 */
#include <string.h>

#include "consumer/type_slots.h"
#include "tests/unit/fake_tokens.h"
#include "tests/unit/unit.h"

#define QUEUE "slots-type.mail.1"

static const struct handler mail = {.type = "mail"};
static const struct handler mail_local = {.type = "mail", .concurrency = 1};
static const struct handler other = {.type = "other"};

static struct fixture {
        uv_loop_t loop;
        struct type_slots *slots;
        unsigned got, late;
        struct attempt *last;
        msec since; /* when the type became full */
} f;

static double half(void)
{
        return 0.5;
}

static void on_answered(void *owner, struct attempt *a, bool got)
{
        (void)owner;
        f.got += got;
        f.late += !got;
        f.last = a;
}

static void limit(int64_t running, int64_t version)
{
        const struct type_record r = {.name = "mail",
                                      .max_running = running,
                                      .slots_version = version,
                                      .rate_count = RECORD_UNLIMITED};

        type_slots_record(f.slots, &r);
}

static int prepare(void **state)
{
        (void)state;
        fake_tokens_reset();
        memset(&f, 0, sizeof(f));
        uv_loop_init(&f.loop);
        const struct type_slots_config c = {
                .loop = &f.loop, .chance = half, .answered = on_answered};
        f.slots = type_slots_create(&c);
        type_slots_up(f.slots);
        limit(2, 1);
        return 0;
}

static int clean(void **state)
{
        (void)state;
        type_slots_destroy(&f.slots);
        uv_run(&f.loop, UV_RUN_DEFAULT);
        uv_loop_close(&f.loop);
        return 0;
}

static struct attempt job(enum priority p)
{
        struct attempt a = {.handler = &mail};

        memcpy(a.job.type, "mail", 5);
        a.job.priority = p;
        return a;
}

/* Runs the loop until nothing is due at the fake time: the alarms ring by libuv's own clock. */
static void wait_for_late(void)
{
        fake.now += TYPE_SLOT_WAIT;
        unsigned before = f.late;
        while (f.late == before)
                uv_run(&f.loop, UV_RUN_ONCE);
}

static void one_without_a_limit_starts_at_once(void **state)
{
        struct attempt a = job(PRIORITY_LOW);

        (void)state;
        memcpy(a.job.type, "other", 6);
        a.handler = &other;
        assert_true(type_slots_have_room(f.slots, &other));
        assert_int_equal(type_slots_take(f.slots, &a), TYPE_SLOT_HAS);
        assert_null(a.type_slot);
        type_slots_release(f.slots, &a);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
}

static void the_more_urgent_gets_the_first_token(void **state)
{
        struct attempt low = job(PRIORITY_LOW), high = job(PRIORITY_HIGH), third = job(0);

        (void)state;
        (void)third;
        assert_int_equal(type_slots_take(f.slots, &low), TYPE_SLOT_ASKED);
        assert_int_equal(type_slots_take(f.slots, &high), TYPE_SLOT_ASKED);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, PRIORITY_HIGH), 1);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, PRIORITY_LOW), 1);
        assert_false(type_slots_have_room(f.slots, &mail)); /* no more than the limit ask */
        assert_true(fake_tokens_deliver(QUEUE));
        assert_ptr_equal(f.last, &high);
        assert_non_null(high.type_slot);
        assert_true(fake_tokens_deliver(QUEUE));
        assert_ptr_equal(f.last, &low);
        assert_false(fake_tokens_deliver(QUEUE));
        assert_false(type_slots_have_room(f.slots, &mail));
        type_slots_release(f.slots, &high);
        type_slots_release(f.slots, &low);
}

static void a_local_limit_counts_those_that_ask(void **state)
{
        struct attempt a = job(PRIORITY_LOW);

        (void)state;
        a.handler = &mail_local;
        assert_true(type_slots_have_room(f.slots, &mail_local));
        type_slots_take(f.slots, &a);
        assert_false(type_slots_have_room(f.slots, &mail_local));
        type_slots_withdraw(f.slots, &a);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        assert_true(type_slots_have_room(f.slots, &mail_local));
}

static void a_slot_serves_the_next_run_of_the_same_turn(void **state)
{
        struct attempt a = job(PRIORITY_LOW), b = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        fake_tokens_deliver(QUEUE);
        type_slots_release(f.slots, &a);
        assert_null(a.type_slot);
        assert_int_equal(type_slots_take(f.slots, &b), TYPE_SLOT_HAS);
        type_slots_turn(f.slots, 1);
        assert_int_equal(fake.returned, 0);
        type_slots_release(f.slots, &b);
        type_slots_turn(f.slots, 1);
        assert_int_equal(fake.returned, 1);
        assert_int_equal(fake_tokens_taken(), 0);
}

static void a_turn_is_over_after_a_while(void **state)
{
        struct attempt a = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        fake_tokens_deliver(QUEUE);
        fake.now += TYPE_SLOT_TURN;
        type_slots_release(f.slots, &a);
        assert_int_equal(fake.returned, 1);
}

static void a_full_type_is_left_alone_and_then_asked_by_one(void **state)
{
        struct attempt a = job(PRIORITY_LOW), b = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        wait_for_late();
        assert_ptr_equal(f.last, &a);
        assert_int_equal(fake_tokens_wanted(QUEUE), 1); /* for the first that could use it */
        assert_true(type_slots_are_full(f.slots, "mail", &f.since));
        assert_false(type_slots_have_room(f.slots, &mail));
        fake.now += TYPE_SLOT_PAUSE;
        assert_true(type_slots_have_room(f.slots, &mail));
        type_slots_take(f.slots, &a);
        assert_false(type_slots_have_room(f.slots, &mail));
        fake_tokens_deliver(QUEUE);
        assert_false(type_slots_are_full(f.slots, "mail", &f.since));
        assert_true(type_slots_have_room(f.slots, &mail));
        type_slots_take(f.slots, &b);
        type_slots_withdraw(f.slots, &b);
        type_slots_release(f.slots, &a);
}

/* The broker takes longer than an attempt waits: without the token that stays asked for, none would
 * ever be served. */
static void a_token_that_comes_late_is_for_the_first_that_can_start(void **state)
{
        struct attempt a = job(PRIORITY_HIGH), b = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        wait_for_late();
        assert_int_equal(fake_tokens_wanted_of(QUEUE, PRIORITY_HIGH), 1);
        assert_true(fake_tokens_deliver(QUEUE));
        assert_int_equal(f.got, 0);
        fake.now += TYPE_SLOT_TURN - 1;
        type_slots_turn(f.slots, 1);
        assert_true(type_slots_have_room(f.slots, &mail));
        assert_int_equal(type_slots_take(f.slots, &b), TYPE_SLOT_HAS);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        type_slots_release(f.slots, &b);
        type_slots_turn(f.slots, 1); /* it was used: it goes back */
        assert_int_equal(fake.returned, 1);
}

static void a_token_that_comes_late_is_not_kept_for_nothing(void **state)
{
        static const struct {
                msec after;
                unsigned free; /* workers */
                unsigned want_returned;
        } rows[] = {{0, 1, 0}, {TYPE_SLOT_TURN - 1, 1, 0}, {TYPE_SLOT_TURN, 1, 1}, {0, 0, 1}};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct attempt a = job(PRIORITY_LOW);
                fake.returned = 0;
                type_slots_take(f.slots, &a);
                wait_for_late();
                assert_true(fake_tokens_deliver(QUEUE));
                fake.now += rows[i].after;
                type_slots_turn(f.slots, rows[i].free);
                assert_int_equal(fake.returned, rows[i].want_returned);
                assert_int_equal(type_slots_have_room(f.slots, &mail), !rows[i].want_returned);
                assert_int_equal(fake_tokens_wanted(QUEUE), 0);
                fake.now += MSEC_SECOND;
                type_slots_turn(f.slots, 1);
                assert_int_equal(fake.returned, 1);
                fake.now += TYPE_SLOT_PAUSE;
        }
}

/* One that asks takes the place of the token that stays asked for: it adds none. */
static void of_a_full_type_one_token_is_asked_for(void **state)
{
        struct attempt a = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        wait_for_late();
        fake.now += TYPE_SLOT_PAUSE;
        type_slots_take(f.slots, &a);
        assert_int_equal(fake_tokens_wanted(QUEUE), 1);
        wait_for_late();
        assert_int_equal(fake_tokens_wanted(QUEUE), 1);
        type_slots_tick(f.slots, fake.now);
        assert_int_equal(fake_tokens_wanted(QUEUE), 1);
        fake.now += TYPE_SLOT_FULL;
        type_slots_tick(f.slots, fake.now);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0); /* no job has wanted it for a while */
}

/* Whether it is still full shows only when it is asked: until then nothing is known. */
static void a_type_that_nobody_asks_is_not_full_for_good(void **state)
{
        struct attempt a = job(PRIORITY_LOW), b = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        wait_for_late();
        fake.now += TYPE_SLOT_FULL - 1;
        assert_true(type_slots_are_full(f.slots, "mail", &f.since));
        fake.now++;
        assert_false(type_slots_are_full(f.slots, "mail", &f.since));
        type_slots_take(f.slots, &a);
        assert_true(type_slots_have_room(f.slots, &mail));
        type_slots_take(f.slots, &b);
        wait_for_late();
        assert_true(type_slots_are_full(f.slots, "mail", &f.since));
}

static void a_new_version_leaves_running_ones_their_tokens(void **state)
{
        struct attempt a = job(PRIORITY_LOW), b = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        fake_tokens_deliver(QUEUE);
        type_slots_take(f.slots, &b);
        limit(3, 2);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        assert_int_equal(fake_tokens_wanted("slots-type.mail.2"), 1);
        assert_true(fake_tokens_deliver("slots-type.mail.2"));
        assert_int_equal(f.got, 2);
        type_slots_release(f.slots, &a); /* of the old version: no turn */
        assert_int_equal(fake.returned, 1);
        type_slots_release(f.slots, &b);
        assert_int_equal(fake.returned, 1);
}

static void a_lifted_limit_starts_those_that_ask(void **state)
{
        struct attempt a = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        limit(RECORD_UNLIMITED, 2);
        assert_int_equal(f.got, 1);
        assert_null(a.type_slot);
        assert_true(type_slots_have_room(f.slots, &mail));
        assert_int_equal(type_slots_limit(f.slots, "mail"), 0);
        limit(1, 3);
        assert_int_equal(type_slots_take(f.slots, &a), TYPE_SLOT_ASKED);
        type_slots_withdraw(f.slots, &a);
}

static void after_a_lost_link_those_that_run_take_tokens_first(void **state)
{
        struct attempt a = job(PRIORITY_LOW), b = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        fake_tokens_deliver(QUEUE);
        type_slots_take(f.slots, &b);
        fake_tokens_lose();
        type_slots_down(f.slots);
        assert_int_equal(f.late, 1);
        assert_ptr_equal(f.last, &b);
        assert_non_null(a.type_slot);
        assert_false(type_slots_have_room(f.slots, &mail));
        type_slots_up(f.slots);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, TOKENS_RANK_RUNNING), 1);
        assert_false(type_slots_have_room(f.slots, &mail));
        fake_tokens_deliver(QUEUE);
        assert_true(type_slots_have_room(f.slots, &mail));
        type_slots_release(f.slots, &a);
        type_slots_turn(f.slots, 1);
        assert_int_equal(fake.returned, 1);
}

static void one_that_ends_without_its_lost_token_wants_none(void **state)
{
        struct attempt a = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        fake_tokens_deliver(QUEUE);
        fake_tokens_lose();
        type_slots_down(f.slots);
        type_slots_up(f.slots);
        type_slots_release(f.slots, &a);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        assert_true(type_slots_have_room(f.slots, &mail));
}

/* The link tells of its loss a moment after the tokens are another's. */
static void a_lost_token_starts_nothing_before_the_loss_is_told(void **state)
{
        struct attempt a = job(PRIORITY_LOW), b = job(PRIORITY_LOW), c = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        fake_tokens_deliver(QUEUE);
        type_slots_take(f.slots, &b);
        fake_tokens_deliver(QUEUE);
        type_slots_release(f.slots, &a); /* held until the turn of the loop ends */
        fake_tokens_lose();
        assert_int_equal(type_slots_take(f.slots, &c), TYPE_SLOT_ASKED);
        type_slots_withdraw(f.slots, &c);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, TOKENS_RANK_RUNNING), 1); /* for b */
        type_slots_release(f.slots, &b);
        assert_int_equal(type_slots_take(f.slots, &c), TYPE_SLOT_ASKED);
        type_slots_withdraw(f.slots, &c);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        assert_int_equal(fake_tokens_taken(), 0);
}

static void a_run_whose_token_is_lost_takes_the_first_that_comes(void **state)
{
        struct attempt a = job(PRIORITY_LOW), b = job(PRIORITY_CRITICAL);

        (void)state;
        type_slots_take(f.slots, &a);
        fake_tokens_deliver(QUEUE);
        fake_tokens_lose();
        type_slots_take(f.slots, &b);
        fake_tokens_deliver(QUEUE);
        assert_int_equal(f.got, 1);
        assert_null(b.type_slot);
        fake_tokens_deliver(QUEUE);
        assert_int_equal(f.got, 2);
        type_slots_release(f.slots, &a);
        type_slots_release(f.slots, &b);
        type_slots_turn(f.slots, 1);
        assert_int_equal(fake.returned, 2);
}

static void a_token_held_for_long_is_exchanged(void **state)
{
        struct attempt a = job(PRIORITY_LOW);

        (void)state;
        type_slots_take(f.slots, &a);
        fake_tokens_deliver(QUEUE);
        type_slots_tick(f.slots, fake.now + TYPE_SLOT_HELD_MAX - 1);
        assert_int_equal(fake.returned, 0);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        type_slots_tick(f.slots, fake.now + TYPE_SLOT_HELD_MAX);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, TOKENS_RANK_RUNNING), 1);
        assert_int_equal(fake.returned, 0);
        type_slots_tick(f.slots, fake.now + TYPE_SLOT_HELD_MAX);
        assert_int_equal(fake.returned, 1);
        assert_int_equal(fake_tokens_wanted_of(QUEUE, TOKENS_RANK_RUNNING), 1);
        assert_true(fake_tokens_deliver(QUEUE));
        type_slots_release(f.slots, &a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(one_without_a_limit_starts_at_once, prepare, clean),
                cmocka_unit_test_setup_teardown(the_more_urgent_gets_the_first_token, prepare,
                                                clean),
                cmocka_unit_test_setup_teardown(a_local_limit_counts_those_that_ask, prepare,
                                                clean),
                cmocka_unit_test_setup_teardown(a_slot_serves_the_next_run_of_the_same_turn,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(a_turn_is_over_after_a_while, prepare, clean),
                cmocka_unit_test_setup_teardown(a_full_type_is_left_alone_and_then_asked_by_one,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(a_new_version_leaves_running_ones_their_tokens,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(a_lifted_limit_starts_those_that_ask, prepare,
                                                clean),
                cmocka_unit_test_setup_teardown(after_a_lost_link_those_that_run_take_tokens_first,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(one_that_ends_without_its_lost_token_wants_none,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(
                        a_token_that_comes_late_is_for_the_first_that_can_start, prepare, clean),
                cmocka_unit_test_setup_teardown(a_token_that_comes_late_is_not_kept_for_nothing,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(of_a_full_type_one_token_is_asked_for, prepare,
                                                clean),
                cmocka_unit_test_setup_teardown(a_type_that_nobody_asks_is_not_full_for_good,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(a_lost_token_starts_nothing_before_the_loss_is_told,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(
                        a_run_whose_token_is_lost_takes_the_first_that_comes, prepare, clean),
                cmocka_unit_test_setup_teardown(a_token_held_for_long_is_exchanged, prepare, clean),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
