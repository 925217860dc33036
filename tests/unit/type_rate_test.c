/* SPDX-License-Identifier: Apache-2.0
 *
 * type_rate_test.c: a type's execution rate: which tokens are asked for, and where they go.
 */
#include <string.h>

#include "common/model/limit_queue.h"
#include "consumer/type_rate.h"
#include "tests/unit/fake_tokens.h"
#include "tests/unit/unit.h"

#define QUEUE "rates-type.mail.1"

static const struct handler mail = {.type = "mail"};
static const struct handler other = {.type = "other"};

static struct fixture {
        uv_loop_t loop;
        struct type_rate *rate;
        struct ready ready;
        struct tenant tenant;
        struct attempt jobs[20];
} f;

static double half(void)
{
        return 0.5;
}

static void limit(int64_t count, int64_t version)
{
        const struct type_record r = {.name = "mail",
                                      .max_running = RECORD_UNLIMITED,
                                      .rate_count = count,
                                      .rate_per = 1000,
                                      .rate_version = version};

        type_rate_record(f.rate, &r);
}

static int prepare(void **state)
{
        (void)state;
        fake_tokens_reset();
        memset(&f, 0, sizeof(f));
        uv_loop_init(&f.loop);
        const struct type_rate_config c = {.loop = &f.loop, .chance = half};
        f.rate = type_rate_create(&c);
        limit(10, 1);
        f.tenant.queues[0].tenant = &f.tenant;
        for (size_t i = 0; i < COUNT(f.jobs); i++) {
                struct attempt *a = &f.jobs[i];
                a->handler = &mail;
                a->queue = &f.tenant.queues[0];
                memcpy(a->job.type, "mail", 5);
                ready_add(&f.ready, a);
        }
        return 0;
}

static int clean(void **state)
{
        (void)state;
        type_rate_destroy(&f.rate);
        uv_run(&f.loop, UV_RUN_DEFAULT);
        uv_loop_close(&f.loop);
        assert_int_equal(fake_tokens_taken(), 0);
        return 0;
}

/* A turn of the loop in which a job looks for a token. */
static void refused_turn(unsigned free)
{
        assert_false(type_rate_has_room(f.rate, &mail));
        type_rate_turn(f.rate, &f.ready, free);
}

static struct attempt *start(unsigned i)
{
        assert_true(type_rate_has_room(f.rate, &mail));
        type_rate_take(f.rate, &f.jobs[i]);
        assert_non_null(f.jobs[i].rate_token);
        return &f.jobs[i];
}

static void one_without_a_rate_needs_no_token(void **state)
{
        struct attempt a = {.handler = &other, .job.type = "other"};

        (void)state;
        assert_true(type_rate_has_room(f.rate, &other));
        type_rate_take(f.rate, &a);
        assert_null(a.rate_token);
        type_rate_spend(&a);
        type_rate_put_back(f.rate, &a);
        assert_int_equal(fake.spent, 0);
}

static void as_many_are_wanted_as_could_start(void **state)
{
        static const struct {
                unsigned free, jobs;
                int64_t count;
                unsigned want;
        } rows[] = {{3, 20, 10, 3}, {30, 20, 10, 10}, {30, 20, 25, 20}, {30, 2, 10, 2}};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                limit(rows[i].count, (int64_t)i + 2);
                while (f.ready.count > rows[i].jobs)
                        ready_remove(&f.ready, f.tenant.waiting[PRIORITY_LOW]);
                fake.now += TYPE_RATE_COUNT;
                refused_turn(rows[i].free);
                char queue[LIMIT_QUEUE_SIZE];
                limit_queue_name(LIMIT_TYPE_RATE, "mail", (int64_t)i + 2, queue);
                assert_int_equal(fake_tokens_wanted(queue), rows[i].want);
        }
}

static void jobs_without_a_slot_ask_for_one_token_together(void **state)
{
        (void)state;
        f.tenant.without_slot = true;
        refused_turn(4);
        assert_int_equal(fake_tokens_wanted(QUEUE), 1);
        f.tenant.without_slot = false;
        fake.now += TYPE_RATE_COUNT;
        refused_turn(4);
        assert_int_equal(fake_tokens_wanted(QUEUE), 4);
}

static void a_start_spends_its_token_once_it_has_begun(void **state)
{
        (void)state;
        refused_turn(4);
        assert_true(fake_tokens_deliver(QUEUE));
        struct attempt *a = start(0);
        assert_false(type_rate_has_room(f.rate, &mail));
        assert_int_equal(fake.spent, 0);
        type_rate_spend(a);
        assert_null(a->rate_token);
        assert_int_equal(fake.spent, 1);
}

static void deliver_round(int64_t number, int64_t round)
{
        fake.round = (struct token_round){number, round};
        fake_tokens_deliver(QUEUE);
}

static void a_copy_of_a_token_is_removed(void **state)
{
        (void)state;
        refused_turn(4);
        deliver_round(7, 3);
        type_rate_spend(start(0));
        deliver_round(7, 3);
        assert_int_equal(fake.removed, 1);
        assert_false(type_rate_has_room(f.rate, &mail));
        deliver_round(7, 4);
        assert_int_equal(fake.removed, 1);
}

static void a_lost_link_makes_no_copies(void **state)
{
        (void)state;
        refused_turn(4);
        deliver_round(7, 3);
        type_rate_spend(start(0));
        fake_tokens_lose();
        type_rate_down(f.rate);
        refused_turn(4);
        deliver_round(7, 3);
        assert_int_equal(fake.removed, 0);
        type_rate_put_back(f.rate, start(1));
}

static void one_that_cannot_start_leaves_its_token_to_the_next(void **state)
{
        (void)state;
        refused_turn(1);
        fake_tokens_deliver(QUEUE);
        type_rate_put_back(f.rate, start(0));
        assert_int_equal(fake.returned, 0);
        start(1);
        type_rate_put_back(f.rate, &f.jobs[1]);
}

static void a_token_that_no_job_can_use_goes_back(void **state)
{
        (void)state;
        refused_turn(4);
        fake_tokens_deliver(QUEUE);
        fake.now += TYPE_RATE_HOLD - 1;
        type_rate_turn(f.rate, &f.ready, 0);
        assert_int_equal(fake.returned, 0);
        fake.now++;
        type_rate_turn(f.rate, &f.ready, 0);
        assert_int_equal(fake.returned, 1);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        refused_turn(4); /* not yet */
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
        fake.now += TYPE_RATE_PAUSE;
        refused_turn(4);
        assert_int_equal(fake_tokens_wanted(QUEUE), 4);
}

static void what_is_wanted_no_more_is_given_up(void **state)
{
        (void)state;
        refused_turn(4);
        fake.now += TYPE_RATE_HOLD;
        type_rate_turn(f.rate, &f.ready, 0);
        assert_int_equal(fake_tokens_wanted(QUEUE), 4);
        fake.now++;
        type_rate_turn(f.rate, &f.ready, 0);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
}

static void a_token_of_an_earlier_version_is_spent_too(void **state)
{
        (void)state;
        refused_turn(4);
        fake_tokens_deliver(QUEUE);
        struct attempt *a = start(0);
        limit(5, 2);
        type_rate_spend(a);
        assert_int_equal(fake.spent, 1);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
}

static void a_lifted_limit_gives_everything_back(void **state)
{
        (void)state;
        refused_turn(4);
        fake_tokens_deliver(QUEUE);
        fake_tokens_deliver(QUEUE);
        struct attempt *a = start(0);
        limit(RECORD_UNLIMITED, 2);
        assert_int_equal(fake.returned, 1);
        assert_true(type_rate_has_room(f.rate, &mail));
        type_rate_put_back(f.rate, a);
        assert_int_equal(fake.returned, 2);
        type_rate_turn(f.rate, &f.ready, 4);
}

static void after_a_lost_link_a_begun_run_spends_no_token(void **state)
{
        (void)state;
        refused_turn(4);
        fake_tokens_deliver(QUEUE);
        fake_tokens_deliver(QUEUE);
        struct attempt *a = start(0);
        fake_tokens_lose();
        type_rate_down(f.rate);
        type_rate_spend(a);
        assert_int_equal(fake.spent, 0);
        assert_int_equal(fake_tokens_taken(), 0);
        assert_false(type_rate_has_room(f.rate, &mail));
}

static void a_stop_returns_what_is_not_used(void **state)
{
        (void)state;
        refused_turn(4);
        fake_tokens_deliver(QUEUE);
        type_rate_stop(f.rate);
        assert_int_equal(fake.returned, 1);
        assert_int_equal(fake_tokens_wanted(QUEUE), 0);
}

static void jobs_wait_for_a_rate_while_they_find_no_token(void **state)
{
        (void)state;
        assert_true(type_rate_waits_ms(f.rate, "mail") == 0);
        refused_turn(4);
        assert_true(type_rate_waits_ms(f.rate, "mail") == 100);
        fake_tokens_deliver(QUEUE);
        assert_true(type_rate_waits_ms(f.rate, "mail") == 0);
        assert_true(type_rate_waits_ms(f.rate, "other") == 0);
}

/* The loop turns when the pause is over, whether a job looked for a token when it began or not. */
static void a_pause_ends_in_a_turn_of_the_loop(void **state)
{
        (void)state;
        refused_turn(4);
        fake_tokens_deliver(QUEUE);
        fake.now += TYPE_RATE_HOLD;
        type_rate_turn(f.rate, &f.ready, 4);
        assert_int_equal(fake.returned, 1);
        assert_true(uv_loop_alive(&f.loop)); /* an alarm is set */
}

/* One start in 50 ms. */
static void start_for(msec time)
{
        for (; time > 0; time -= 50) {
                fake.now += 50;
                refused_turn(4);
                assert_true(fake_tokens_deliver(QUEUE));
                type_rate_spend(start(0));
        }
}

/* After many jobs a few: what they do not need is left to other consumers. */
static void fewer_are_wanted_when_fewer_jobs_wait(void **state)
{
        (void)state;
        refused_turn(10);
        assert_int_equal(fake_tokens_wanted(QUEUE), 10);
        while (f.ready.count > 4)
                ready_remove(&f.ready, f.tenant.waiting[PRIORITY_LOW]);
        start_for(TYPE_RATE_HOLD);
        assert_int_equal(fake_tokens_wanted(QUEUE), 10); /* more may come */
        start_for(TYPE_RATE_HOLD);
        assert_int_equal(fake_tokens_wanted(QUEUE), 4);
        while (f.ready.count > 3)
                ready_remove(&f.ready, f.tenant.waiting[PRIORITY_LOW]);
        start_for(MSEC_SECOND);
        assert_int_equal(fake_tokens_wanted(QUEUE), 4); /* near enough */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(one_without_a_rate_needs_no_token, prepare, clean),
                cmocka_unit_test_setup_teardown(as_many_are_wanted_as_could_start, prepare, clean),
                cmocka_unit_test_setup_teardown(jobs_without_a_slot_ask_for_one_token_together,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(a_start_spends_its_token_once_it_has_begun, prepare,
                                                clean),
                cmocka_unit_test_setup_teardown(a_copy_of_a_token_is_removed, prepare, clean),
                cmocka_unit_test_setup_teardown(a_lost_link_makes_no_copies, prepare, clean),
                cmocka_unit_test_setup_teardown(one_that_cannot_start_leaves_its_token_to_the_next,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(a_token_that_no_job_can_use_goes_back, prepare,
                                                clean),
                cmocka_unit_test_setup_teardown(what_is_wanted_no_more_is_given_up, prepare, clean),
                cmocka_unit_test_setup_teardown(a_token_of_an_earlier_version_is_spent_too, prepare,
                                                clean),
                cmocka_unit_test_setup_teardown(a_lifted_limit_gives_everything_back, prepare,
                                                clean),
                cmocka_unit_test_setup_teardown(after_a_lost_link_a_begun_run_spends_no_token,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(a_stop_returns_what_is_not_used, prepare, clean),
                cmocka_unit_test_setup_teardown(jobs_wait_for_a_rate_while_they_find_no_token,
                                                prepare, clean),
                cmocka_unit_test_setup_teardown(a_pause_ends_in_a_turn_of_the_loop, prepare, clean),
                cmocka_unit_test_setup_teardown(fewer_are_wanted_when_fewer_jobs_wait, prepare,
                                                clean),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
