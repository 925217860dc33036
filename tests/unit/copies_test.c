/* SPDX-License-Identifier: Apache-2.0
 *
 * copies_test.c: an attempt that is about to start, and that another consumer may have a copy of.
 */
#include "consumer/copies.h"

#include <string.h>

#include "tests/unit/start_rig.h"

/* The job has a key, and nobody has looked for its copies for so long. */
static void key_it(msec unseen)
{
        struct job *job = &f.job->job;

        job->run = 1;
        job->queued_at = clock_wall();
        memcpy(job->key, "k", 2);
        f.job->unseen_since = fake.now - unseen;
}

/* It has all it needs, and is asked about. */
static void ask_about_it(void)
{
        key_it(DUPLICATE_UNSEEN + 1);
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.job->state, STATE_PICKED);
        assert_int_equal(f.asked, 1);
        assert_int_equal(f.c->picked, 1);
        assert_int_equal(fake_tokens_taken(), 2);
        assert_null(f.ran);
}

static void answer(enum duplicate_state state)
{
        const struct duplicate_answer a = {
                .state = state, .worker = "elsewhere", .worker_alive = true};

        f.job->question = NULL;
        start_checked(f.c, f.job, &a);
}

static void one_whose_copies_were_looked_for_runs_at_once(void **state)
{
        (void)state;
        key_it(DUPLICATE_UNSEEN);
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.job->state, STATE_RUNNING);
        assert_int_equal(f.asked, 0);
}

static void one_without_copies_runs_at_once(void **state)
{
        (void)state;
        key_it(MSEC_HOUR);
        f.job->job.attempt = 1;
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.job->state, STATE_RUNNING);
        assert_int_equal(f.asked, 0);
}

static void while_no_store_can_answer_none_is_asked_about(void **state)
{
        static const enum duplicate_state last[] = {DUPLICATE_SILENT, DUPLICATE_BEHIND};

        for (size_t i = 0; i < COUNT(last); i++) {
                clean(state);
                prepare(state);
                f.last = last[i];
                key_it(MSEC_HOUR);
                assert_true(fake_tokens_deliver(TYPE_QUEUE));
                assert_int_equal(f.job->state, STATE_RUNNING);
                assert_int_equal(f.asked, 0);
        }
}

static void one_whose_copies_have_not_started_runs_in_its_place(void **state)
{
        static const enum duplicate_state states[] = {DUPLICATE_OPEN, DUPLICATE_UNKNOWN,
                                                      DUPLICATE_SILENT, DUPLICATE_BEHIND};

        for (size_t i = 0; i < COUNT(states); i++) {
                clean(state);
                prepare(state);
                ask_about_it();
                start_ready(f.c); /* its tokens stay */
                answer(states[i]);
                assert_int_equal(f.job->state, STATE_RUNNING);
                assert_false(f.job->redelivered);
                assert_int_equal(f.c->picked, 0);
                assert_int_equal(f.c->running, 1);
                assert_int_equal(f.asked, 1);
                assert_int_equal(fake.returned, 0);
        }
}

static void one_whose_copy_has_ended_is_dropped(void **state)
{
        (void)state;
        ask_about_it();
        answer(DUPLICATE_CLOSED);
        assert_int_equal(f.acked, 1);
        assert_null(f.c->attempts.table);
        assert_nothing_is_left();
}

static void one_whose_copy_runs_hops(void **state)
{
        (void)state;
        ask_about_it();
        answer(DUPLICATE_RUNNING);
        assert_int_equal(f.job->state, STATE_LEAVING);
        assert_int_equal(f.job->departure, DEPART_HOP);
        assert_true(f.job->job.again);
        assert_nothing_is_left();
}

/* That it is a copy is known. */
static void one_published_again_waits_for_a_store_that_is_behind(void **state)
{
        (void)state;
        f.job->job.again = true;
        f.last = DUPLICATE_BEHIND;
        ask_about_it();
        answer(DUPLICATE_BEHIND);
        assert_int_equal(f.job->departure, DEPART_HOP);
        assert_true(f.job->job.again);
        assert_nothing_is_left();
}

static void one_that_expires_while_it_is_asked_about_runs_nothing(void **state)
{
        (void)state;
        ask_about_it();
        f.job->job.expires_at = clock_wall();
        answer(DUPLICATE_OPEN);
        assert_int_equal(f.job->departure, DEPART_EXPIRE);
        assert_nothing_is_left();
}

/* Where it comes next, an answer that said nothing does not make it a job that was published twice.
 */
static void one_whose_type_is_paused_while_it_is_asked_about_is_parked(void **state)
{
        static const enum duplicate_state states[] = {DUPLICATE_OPEN, DUPLICATE_SILENT,
                                                      DUPLICATE_BEHIND};

        for (size_t i = 0; i < COUNT(states); i++) {
                clean(state);
                prepare(state);
                ask_about_it();
                f.paused = true;
                answer(states[i]);
                assert_int_equal(f.job->departure, DEPART_PARK);
                assert_false(f.job->job.again);
                assert_nothing_is_left();
        }
}

static void a_moved_copy_is_asked_about(void **state)
{
        (void)state;
        f.job->job.copy = 7;
        f.job->unseen_since = fake.now - DUPLICATE_UNSEEN - 1;
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.asked, 1);
        answer(DUPLICATE_SUPERSEDED);
        assert_int_equal(f.acked, 1);
        assert_nothing_is_left();
}

/* It has come just now, and no copy of it is possible. */
static void start_blindly(void)
{
        f.blind = true;
        f.job->job.queued_at = clock_wall();
        f.job->unseen_since = fake.now;
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.job->state, STATE_PICKED);
        assert_int_equal(f.asked, 1);
}

static void while_marks_are_not_read_each_is_asked_about_once(void **state)
{
        static const enum duplicate_state states[] = {DUPLICATE_OPEN, DUPLICATE_UNKNOWN,
                                                      DUPLICATE_SILENT};

        for (size_t i = 0; i < COUNT(states); i++) {
                clean(state);
                prepare(state);
                start_blindly();
                answer(states[i]);
                assert_int_equal(f.job->state, STATE_RUNNING);
                assert_int_equal(f.asked, 1);
        }
        clean(state);
        prepare(state);
        start_blindly();
        answer(DUPLICATE_CLOSED);
        assert_int_equal(f.acked, 1);
        assert_nothing_is_left();
}

static void while_marks_are_not_read_it_waits_for_a_store_that_is_behind(void **state)
{
        (void)state;
        start_blindly();
        answer(DUPLICATE_BEHIND);
        assert_int_equal(f.job->departure, DEPART_HOP);
        assert_nothing_is_left();
}

static void one_that_marks_may_be_of_is_asked_about(void **state)
{
        (void)state;
        f.job->job.queued_at = clock_wall();
        f.job->unmarked = true;
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.asked, 1);
        answer(DUPLICATE_OPEN);
        assert_int_equal(f.job->state, STATE_RUNNING);
        assert_false(f.job->unmarked);
}

/* While no store answers: else each start would wait in vain. But what the marks want is asked. */
static void of_silent_stores_only_what_marks_may_be_of_is_asked(void **state)
{
        for (int unmarked = 0; unmarked < 2; unmarked++) {
                clean(state);
                prepare(state);
                f.last = DUPLICATE_SILENT;
                f.blind = true;
                f.job->job.queued_at = clock_wall();
                f.job->unmarked = unmarked == 1;
                assert_true(fake_tokens_deliver(TYPE_QUEUE));
                assert_int_equal(f.asked, unmarked);
                if (unmarked == 1)
                        answer(DUPLICATE_SILENT);
                assert_int_equal(f.job->state, STATE_RUNNING);
                assert_int_equal(f.asked, unmarked);
        }
}

/* `running` names this worker: here it is the other copy that runs, and no earlier process. */
static void one_whose_other_copy_runs_here_waits(void **state)
{
        (void)state;
        struct attempt *other = add_waiting();

        ask_about_it();
        other->key = f.job->key;
        other->key.copy = 7;
        ready_remove(&f.c->ready, other);
        attempt_move(other, STATE_RUNNING);
        f.c->running++;
        memcpy(f.c->worker, "elsewhere", 10);
        answer(DUPLICATE_RUNNING);
        assert_int_equal(f.job->state, STATE_LEAVING);
        assert_int_equal(f.job->departure, DEPART_HOP);
        assert_true(f.job->job.again);
}

static void after_a_stop_the_marks_are_doubted(void **state)
{
        (void)state;
        start_ready(f.c);
        assert_int_equal(f.stood_still, 0);
        fake.now += STOP;
        start_ready(f.c);
        assert_int_equal(f.stood_still, 1);
}

static void a_drain_requeues_one_that_is_asked_about(void **state)
{
        (void)state;
        ask_about_it();
        stop_begin(f.c);
        assert_int_equal(f.requeued, 1);
        assert_int_equal(f.withdrawn, 1);
        assert_nothing_is_left();
}

static void one_that_loses_its_tokens_while_it_is_asked_about_waits_again(void **state)
{
        struct err why = {0};

        (void)state;
        ask_about_it();
        fake_tokens_lose();
        f.slots->down(f.c, &why);
        answer(DUPLICATE_OPEN);
        assert_int_equal(f.job->state, STATE_WAITING);
        assert_int_equal(f.c->picked, 0);
        assert_null(f.ran);
        assert_int_equal(fake_tokens_taken(), 0);
}

static void after_a_stop_one_that_is_asked_about_waits_again(void **state)
{
        (void)state;
        ask_about_it();
        fake.now += STOP;
        start_ready(f.c);
        assert_int_equal(f.job->state, STATE_WAITING);
        assert_int_equal(f.withdrawn, 1);
        assert_int_equal(f.c->picked, 0);
        assert_int_equal(fake_tokens_taken(), 0);
}

static void one_that_is_asked_about_keeps_its_room_in_the_runner(void **state)
{
        const struct type_record mail = {
                .name = "mail", .max_running = RECORD_UNLIMITED, .rate_count = RECORD_UNLIMITED};

        (void)state;
        ask_about_it();
        lift_the_tenants_limit();
        type_slots_record(f.c->type_slots, &mail);
        struct attempt *next = add_waiting();
        f.room = 1;
        start_ready(f.c);
        assert_int_equal(next->state, STATE_WAITING);
        f.room = 2;
        start_ready(f.c);
        assert_int_equal(next->state, STATE_RUNNING);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)
                TEST(one_whose_copies_were_looked_for_runs_at_once),
                TEST(one_without_copies_runs_at_once),
                TEST(while_no_store_can_answer_none_is_asked_about),
                TEST(one_whose_copies_have_not_started_runs_in_its_place),
                TEST(one_whose_copy_has_ended_is_dropped),
                TEST(one_whose_copy_runs_hops),
                TEST(one_published_again_waits_for_a_store_that_is_behind),
                TEST(one_that_expires_while_it_is_asked_about_runs_nothing),
                TEST(one_whose_type_is_paused_while_it_is_asked_about_is_parked),
                TEST(a_moved_copy_is_asked_about),
                TEST(while_marks_are_not_read_each_is_asked_about_once),
                TEST(while_marks_are_not_read_it_waits_for_a_store_that_is_behind),
                TEST(one_that_marks_may_be_of_is_asked_about),
                TEST(of_silent_stores_only_what_marks_may_be_of_is_asked),
                TEST(one_whose_other_copy_runs_here_waits),
                TEST(after_a_stop_the_marks_are_doubted),
                TEST(a_drain_requeues_one_that_is_asked_about),
                TEST(one_that_loses_its_tokens_while_it_is_asked_about_waits_again),
                TEST(after_a_stop_one_that_is_asked_about_waits_again),
                TEST(one_that_is_asked_about_keeps_its_room_in_the_runner),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
