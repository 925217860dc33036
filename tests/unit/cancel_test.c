/* SPDX-License-Identifier: Apache-2.0
 *
 * cancel_test.c: what marks do to the attempts that are held here, in each state.
 */
#include "consumer/cancel.h"

#include <string.h>

#include "common/base/memory.h"
#include "consumer/copies.h"
#include "tests/unit/start_rig.h"

static struct mark mark_of(const struct job *job, enum mark_why why)
{
        struct mark m = {.run = job->run, .attempt = 1, .copy = 9, .why = why};

        m.at = clock_wall();
        memcpy(m.tenant, job->tenant, sizeof(m.tenant));
        memcpy(m.id, job->id, sizeof(m.id));
        if (mark_ends_the_job(&m))
                m.attempt = m.copy = JOB_COUNTER_MAX;
        return m;
}

static void mark_it(enum mark_why why)
{
        struct mark m = mark_of(&f.job->job, why);

        assert_true(marks_note(f.c->marks, &m, m.at));
        cancel_by_marks(f.c);
}

static void wait_(void)
{
        wait_in_vain();
        assert_int_equal(f.job->state, STATE_WAITING);
}

static void hold(void)
{
        wait_();
        ready_remove(&f.c->ready, f.job);
        f.job->job.run_at = clock_wall() + 500;
        f.job->state = STATE_HELD;
        due_soon_add(f.c->due_soon, f.job);
}

static void be_asked(void)
{
        wait_();
        ready_remove(&f.c->ready, f.job);
        f.job->state = STATE_ASKED;
        duplicate_check_ask(f.c->duplicate_check, f.job);
}

static void be_asked_at_the_start(void)
{
        f.job->job.again = true;
        f.job->unseen_since = fake.now - DUPLICATE_UNSEEN - 1;
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.asked, 1);
}

static void be_picked(void)
{
        assert_int_equal(f.job->state, STATE_PICKED);
}

static void (*const unstarted[])(void) = {wait_, hold, be_asked, be_asked_at_the_start, be_picked};

static void what_has_not_started_ends_unrun(void **state)
{
        for (size_t i = 0; i < COUNT(unstarted); i++) {
                clean(state);
                prepare(state);
                unstarted[i]();
                mark_it(MARK_FOR_CANCEL);
                assert_int_equal(f.job->state, STATE_LEAVING);
                assert_int_equal(f.job->departure, DEPART_CANCEL);
                assert_null(f.job->question);
                assert_true(events_are_pending(f.c->events));
                assert_nothing_is_left();
                finish_confirmed(f.c, f.job);
                assert_int_equal(f.acked, 1);
        }
}

static void what_was_moved_is_acked(void **state)
{
        for (size_t i = 0; i < COUNT(unstarted); i++) {
                clean(state);
                prepare(state);
                unstarted[i]();
                mark_it(MARK_FOR_RESCHEDULE);
                assert_int_equal(f.acked, 1);
                assert_null(f.c->attempts.table);
                assert_false(events_are_pending(f.c->events));
                assert_nothing_is_left();
        }
}

static void run_it(void)
{
        assert_true(fake_tokens_deliver(TYPE_QUEUE));
        assert_int_equal(f.job->state, STATE_RUNNING);
}

static void what_runs_is_told_to_stop(void **state)
{
        (void)state;
        run_it();
        mark_it(MARK_FOR_CANCEL);
        assert_int_equal(f.job->state, STATE_STOPPING);
        assert_int_equal(f.job->stopped_for, STOP_CANCELLED);
        assert_int_equal(f.stopped, 1);
        cancel_by_marks(f.c);
        assert_int_equal(f.stopped, 1);
}

static void what_runs_and_was_moved_goes_on(void **state)
{
        (void)state;
        run_it();
        mark_it(MARK_FOR_RUN_NOW);
        assert_int_equal(f.job->state, STATE_RUNNING);
        assert_int_equal(f.stopped, 0);
}

/* A drain or a lost link has told it to stop: now it ends cancelled, and is not given back. */
static void what_stops_ends_cancelled(void **state)
{
        static const enum stop_reason reasons[] = {STOP_DRAINING, STOP_LINK_LOST};

        for (size_t i = 0; i < COUNT(reasons); i++) {
                clean(state);
                prepare(state);
                run_it();
                attempt_stop(f.job, reasons[i]);
                mark_it(MARK_FOR_CANCEL);
                assert_int_equal(f.job->stopped_for, STOP_CANCELLED);
                assert_int_equal(f.stopped, 1);
        }
}

/* It was told to stop before the drain began. */
static void a_drain_waits_for_the_grace_of_what_stops(void **state)
{
        const struct handler slow = {.type = "mail", .grace = 90 * MSEC_SECOND};

        (void)state;
        run_it();
        f.job->handler = &slow;
        mark_it(MARK_FOR_CANCEL);
        stop_begin(f.c);
        fake.now += MSEC_SECOND;
        stop_step(f.c);
        assert_int_equal(f.job->state, STATE_STOPPING);
        assert_int_equal(f.c->grace, slow.grace);
}

/* The message that it publishes is judged where it comes next. */
static void what_leaves_is_left_alone(void **state)
{
        (void)state;
        wait_();
        f.paused = true;
        accept_review(f.c);
        assert_int_equal(f.job->departure, DEPART_PARK);
        mark_it(MARK_FOR_CANCEL);
        assert_int_equal(f.job->departure, DEPART_PARK);
        assert_int_equal(f.acked, 0);
}

static void a_bulk_mark_is_of_all_that_were_submitted_before(void **state)
{
        struct mark m = {.type = "mail", .copy = 9, .why = MARK_FOR_CANCEL};

        (void)state;
        wait_();
        struct attempt *later = add_waiting(), *outside = add_waiting();
        m.at = m.before = clock_wall();
        f.job->job.submitted_at = m.before - 1;
        later->job.submitted_at = m.before;
        outside->job.outside = true;
        marks_note(f.c->marks, &m, m.at);
        cancel_by_marks(f.c);
        assert_int_equal(f.job->departure, DEPART_CANCEL);
        assert_int_equal(later->state, STATE_WAITING);
        assert_false(later->unmarked);
        assert_int_equal(outside->state, STATE_WAITING);
        assert_true(outside->unmarked);
}

/* As it came: NULL, when it was acked. */
static struct attempt *deliver(const struct job *job)
{
        static struct job_message message; /* the delivery borrows from it */
        struct delivery *d = xcalloc(1, sizeof(*d));
        struct attempt_key key;

        job_encode(job, STATION_UNPARK, clock_wall(), &message);
        message.message.user_id = bytes_of_text("warren-operator");
        d->message = message.message;
        accept_delivery(f.c, &f.tenant->queues[LANE_MEDIUM], d);
        attempt_key_of(job, &key);
        struct attempt *a = attempts_find(&f.c->attempts, &key);
        if (a == NULL) {
                attempt_key_of_message(job, &key); /* of one that comes again */
                a = attempts_find(&f.c->attempts, &key);
        }
        return a;
}

/* A job that was delivered, and what its marks make of it. */
static void what_is_delivered_is_judged_by_its_marks(void **state)
{
        static const struct {
                enum mark_why why; /* OTHER: none */
                int64_t copy;
                msec age; /* in its queue */
                msec delay;
                bool paused;
                enum attempt_state want;
                enum departure want_departure;
        } rows[] = {
                {MARK_FOR_OTHER, 0, 0, 0, false, STATE_WAITING, 0},
                {MARK_FOR_CANCEL, 0, 0, 0, false, STATE_LEAVING, DEPART_CANCEL},
                {MARK_FOR_CANCEL, 0, 3 * MSEC_DAY, MSEC_HOUR, true, STATE_LEAVING, DEPART_CANCEL},
                {MARK_FOR_RUN_NOW, 0, 0, MSEC_HOUR, false, STATE_SETTLED, 0},
                {MARK_FOR_RUN_NOW, 9, 0, MSEC_HOUR, false, STATE_LEAVING, DEPART_HOP},
                {MARK_FOR_RUN_NOW, 9, 0, 0, false, STATE_ASKED, 0},
                {MARK_FOR_OTHER, 0, MSEC_DAY + 1, MSEC_HOUR, false, STATE_ASKED, 0},
                {MARK_FOR_OTHER, 0, MSEC_DAY + 1, 0, true, STATE_ASKED, 0},
                {MARK_FOR_OTHER, 9, 0, 500, false, STATE_HELD, 0},
                {MARK_FOR_OTHER, 9, 0, 0, true, STATE_LEAVING, DEPART_PARK},
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
                clean(state);
                prepare(state);
                struct job job = f.job->job;
                msec now = clock_wall();
                wait_in_vain();
                finish_release(f.c, f.job);
                job.copy = rows[i].copy;
                job.payload = bytes_of_text("1");
                job.submitted_at = job.queued_at = now - rows[i].age;
                job.run_at = rows[i].delay > 0 ? now + rows[i].delay : 0;
                f.paused = rows[i].paused;
                struct mark m = mark_of(&job, rows[i].why);
                if (m.why != MARK_FOR_OTHER)
                        marks_note(f.c->marks, &m, now);
                struct attempt *a = deliver(&job);
                enum attempt_state got = a == NULL ? STATE_SETTLED : a->state;
                if (got != rows[i].want ||
                    (got == STATE_LEAVING && a->departure != rows[i].want_departure))
                        fail_msg("row %zu: state %d", i, got);
                assert_int_equal(f.acked, got == STATE_SETTLED);
        }
}

/* Both are here until a mark says which one is over. */
static void another_copy_does_not_join(void **state)
{
        (void)state;
        wait_in_vain();
        struct job job = f.job->job;
        job.payload = bytes_of_text("1");
        job.submitted_at = job.queued_at = clock_wall();
        job.copy = 9;
        struct attempt *a = deliver(&job);
        assert_non_null(a);
        assert_ptr_not_equal(a, f.job);
        assert_int_equal(a->state, STATE_ASKED);
        mark_it(MARK_FOR_RUN_NOW);
        assert_int_equal(f.acked, 1);
        assert_int_equal(f.c->attempts.count, 1);
        assert_int_equal(a->state, STATE_ASKED);
}

/* Its queue does not exist: an upgrade is not complete. */
static void what_cannot_be_parked_hops(void **state)
{
        (void)state;
        wait_();
        f.paused = true;
        accept_review(f.c);
        assert_int_equal(f.published, 1);
        assert_true(f.job->publication.returned(f.c, &f.job->publication));
        assert_int_equal(f.job->departure, DEPART_HOP);
        assert_int_equal(f.published, 2);
        assert_null(f.job->publication.returned);
        finish_confirmed(f.c, f.job);
        assert_int_equal(f.acked, 1);
}

/* A refusal disturbs all that leaves by the same channel. */
static void after_a_refusal_others_hop_for_a_minute(void **state)
{
        static const enum departure want[] = {DEPART_HOP, DEPART_PARK};

        (void)state;
        wait_();
        f.paused = true;
        accept_review(f.c);
        assert_true(f.job->publication.returned(f.c, &f.job->publication));
        for (size_t i = 0; i < COUNT(want); i++) {
                struct attempt *next = add_waiting();
                accept_review(f.c);
                assert_int_equal(next->state, STATE_LEAVING);
                assert_int_equal(next->departure, want[i]);
                fake.now += MSEC_MINUTE;
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)
                TEST(what_has_not_started_ends_unrun),
                TEST(what_was_moved_is_acked),
                TEST(what_runs_is_told_to_stop),
                TEST(what_runs_and_was_moved_goes_on),
                TEST(what_stops_ends_cancelled),
                TEST(a_drain_waits_for_the_grace_of_what_stops),
                TEST(what_leaves_is_left_alone),
                TEST(a_bulk_mark_is_of_all_that_were_submitted_before),
                TEST(what_is_delivered_is_judged_by_its_marks),
                TEST(another_copy_does_not_join),
                TEST(what_cannot_be_parked_hops),
                TEST(after_a_refusal_others_hop_for_a_minute),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
