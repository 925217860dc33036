/* SPDX-License-Identifier: Apache-2.0
 *
 * fold_moves_test.c: the row of a job that somebody moved, retried or cancelled, from its events in
 * each order.
 */
#include <stdio.h>
#include <string.h>

#include "common/model/attempt_row.h"
#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"

enum { COPY = 9, EVENTS_MAX = 7 };

/* Calls check(row, owner) for the row of each order of the events. */
typedef void check_fn(const struct job_row *row, const void *owner);

static void in_each_order(struct event *events, unsigned count, unsigned fixed, check_fn *check,
                          const void *owner)
{
        if (fixed == count) {
                struct job_row row = {0};
                for (unsigned i = 0; i < count; i++) {
                        struct arrival a = {.offset = i, .clock = 9000};
                        job_row_fold(&row, &events[i], &a);
                }
                check(&row, owner);
                job_row_fini(&row);
        }
        for (unsigned i = fixed; i < count; i++) {
                struct event first = events[fixed];
                events[fixed] = events[i];
                events[i] = first;
                in_each_order(events, count, fixed + 1, check, owner);
                events[i] = events[fixed];
                events[fixed] = first;
        }
}

/* clang-format off */
/* The events by letter. Small: of the message as submitted; large: of a copy. */
static const struct letter {
        char letter;
        enum event_kind kind;
        int64_t attempt, copy, moved;
        msec at, run_at;
        bool scheduled, running;
        const char *by;
} letters[] = {
        {'s', EVENT_SUBMITTED, .attempt = 1, .at = 1000, .run_at = 5000, .scheduled = true},
        {'d', EVENT_DUE, .attempt = 1, .at = 1000, .run_at = 5000},
        {'b', EVENT_STARTED, .attempt = 1, .at = 5000},
        {'c', EVENT_COMPLETED, .attempt = 1, .at = 5100},
        {'f', EVENT_FAILED, .attempt = 1, .at = 5100, .run_at = 8000, .scheduled = true},
        {'r', EVENT_RELEASED, .attempt = 1, .at = 5050},
        {'S', EVENT_SUBMITTED, .attempt = 1, .copy = COPY, .moved = MOVED_BY_ACT, .at = 2000,
         .run_at = 7000, .scheduled = true},
        {'N', EVENT_SUBMITTED, .attempt = 1, .copy = COPY, .moved = MOVED_BY_ACT, .at = 2000},
        {'D', EVENT_DUE, .attempt = 1, .copy = COPY, .moved = MOVED_BY_ACT, .at = 2000,
         .run_at = 7000},
        {'B', EVENT_STARTED, .attempt = 1, .copy = COPY, .at = 7000},
        {'T', EVENT_SUBMITTED, .attempt = 2, .copy = COPY, .moved = MOVED_BY_ACT, .at = 6000,
         .run_at = 9000, .scheduled = true},
        {'G', EVENT_SUBMITTED, .attempt = 1, .copy = COPY, .moved = MOVED_GIVEN_BACK, .at = 6000,
         .run_at = 7000, .scheduled = true},
        {'H', EVENT_DUE, .attempt = 1, .copy = COPY, .moved = MOVED_GIVEN_BACK, .at = 6000,
         .run_at = 7000},
        {'M', EVENT_MOVED, .attempt = 1, .copy = COPY, .at = 2001, .by = "mover"},
        {'q', EVENT_CANCEL_REQUESTED, .attempt = 1, .at = 5020, .by = "canceller"},
        {'k', EVENT_CANCELLED, .attempt = 1, .at = 3000, .by = "canceller"},
        {'l', EVENT_CANCELLED, .attempt = 1, .at = 3500, .by = "canceller"},
        {'K', EVENT_CANCELLED, .attempt = 1, .at = 5060, .running = true},
        {'X', EVENT_DEAD, .attempt = 1, .copy = COPY, .at = 0},
        {'x', EVENT_FORGOTTEN, .at = 8000, .by = "forgetter"},
};
/* clang-format on */

static struct event lettered(char letter, int64_t run)
{
        const struct letter *l = letters;

        while (l->letter != letter)
                l++;
        struct event e = {.kind = l->kind,
                          .id = ID,
                          .tenant = "acme",
                          .run = run,
                          .attempt = l->attempt,
                          .copy = l->copy,
                          .at = l->at,
                          .scheduled = l->scheduled,
                          .running = l->running,
                          .digest = (uint64_t)letter,
                          .by = bytes_of_text(l->by)};
        e.hint.priority = e.hint.max_retries = -1;
        e.after = l->kind == EVENT_RELEASED ? 5010 : 0;
        e.worker = bytes_of_text("h/1");
        e.has_job = l->kind == EVENT_SUBMITTED || l->kind == EVENT_DUE || l->kind == EVENT_FAILED ||
                    l->kind == EVENT_DEAD;
        if (e.has_job) {
                e.job.moved = l->moved;
                e.job.run_at = l->run_at;
                e.job.priority = l->copy > 0 ? PRIORITY_CRITICAL : PRIORITY_LOW;
                e.content = l->copy > 0 ? 2 : 1;
        }
        return e;
}

static unsigned make(const char *text, struct event *events)
{
        unsigned count = 0;

        for (const char *at = text; *at != '\0'; at += 2) {
                assert_true(count < EVENTS_MAX);
                events[count++] = lettered(at[0], at[1] - '0');
        }
        return count;
}

struct wanted {
        const char *events; /* each with its run */
        bool shown;
        enum status status;
        bool given_back;
        msec finished_at;
        const char *act_by;
        msec cancel_at;
};

static void check_wanted(const struct job_row *row, const void *owner)
{
        const struct wanted *w = owner;

        if (row->shown != w->shown || (w->shown && row->status != w->status))
                fail_msg("%s: %s", w->events, status_name(row->status));
        if (w->shown)
                assert_int_equal(job_row_is_given_back(row), w->given_back);
        assert_int_equal(job_row_ended_unrun(row),
                         w->status == STATUS_CANCELLED && w->finished_at < 5000);
        assert_int_equal(row->finished_at, w->finished_at);
        assert_string_equal(row->act_by, w->act_by != NULL ? w->act_by : "");
        assert_int_equal(row->cancel_at, w->cancel_at);
}

#define ENDED(status, at, asked_at) true, STATUS_##status, false, at, "canceller", asked_at

/* clang-format off */
static const struct wanted rows[] = {
        /* A copy outranks the wait of what it takes the place of, but no start. */
        {"s1S1", true, .status = STATUS_SCHEDULED},
        {"s1d1S1", true, .status = STATUS_SCHEDULED},
        {"s1d1S1D1", true, .status = STATUS_PENDING},
        {"s1d1N1", true, .status = STATUS_PENDING},
        {"s1d1S1b1", true, .status = STATUS_RUNNING},
        {"s1S1D1b1", true, .status = STATUS_RUNNING},
        {"s1S1D1B1", true, .status = STATUS_RUNNING},
        {"s1S1b1c1", true, .status = STATUS_COMPLETED, .finished_at = 5100},
        {"s1S1b1f1", true, .status = STATUS_FAILED},
        {"s1b1f1T1", true, .status = STATUS_SCHEDULED},
        /* An attempt that was given back is moved. */
        {"s1b1r1", true, .status = STATUS_PENDING, .given_back = true},
        {"s1b1r1G1", true, .status = STATUS_SCHEDULED, .given_back = true},
        {"s1b1r1G1H1", true, .status = STATUS_PENDING, .given_back = true},
        {"s1b1r1G1H1B1", true, .status = STATUS_RUNNING},
        /* That it was moved sets no status. */
        {"M1", false, .status = STATUS_PENDING, .act_by = "mover"},
        {"s1M1", true, .status = STATUS_SCHEDULED, .act_by = "mover"},
        {"s1b1M1", true, .status = STATUS_RUNNING, .act_by = "mover"},
        /* Somebody cancels it: the first who did it while it did not run counts. */
        {"s1k1", ENDED(CANCELLED, 3000, 3000)},
        {"s1k1l1", ENDED(CANCELLED, 3000, 3000)},
        {"k1", ENDED(CANCELLED, 3000, 3000)},
        {"s1S1M1k1", ENDED(CANCELLED, 3000, 3000)},
        {"s1k1S1X1", ENDED(CANCELLED, 3000, 3000)},
        {"s1b1q1", true, .status = STATUS_RUNNING, .act_by = "canceller", .cancel_at = 5020},
        {"s1b1q1K1", ENDED(CANCELLED, 5060, 5020)},
        {"s1b1k1K1", ENDED(CANCELLED, 5060, 3000)},
        {"s1b1q1c1", ENDED(COMPLETED, 5100, 5020)},
        {"s1b1k1c1", ENDED(COMPLETED, 5100, 3000)},
        /* A retry is a later run. What was said of the earlier one stays until it is forgotten. */
        {"s1k1N2M2", true, STATUS_PENDING, false, 3000, "mover", 3000},
        {"s1k1N2M2x1", true, .status = STATUS_PENDING, .act_by = "mover"},
        {"s1M1k2x1", ENDED(CANCELLED, 3000, 3000)},
        {"s1k1x1", false, .status = STATUS_PENDING},
        {"s1M1k1x1", false, .status = STATUS_PENDING},
};
/* clang-format on */

static void each_order_gives_the_same_row(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct event events[EVENTS_MAX];
                in_each_order(events, make(rows[i].events, events), 0, check_wanted, &rows[i]);
        }
}

struct wanted_facts {
        int priority;
        msec run_at;
};

static void check_facts(const struct job_row *row, const void *owner)
{
        const struct wanted_facts *w = owner;

        assert_int_equal(job_row_priority(row), w->priority);
        assert_int_equal(job_row_facts(row)->run_at, w->run_at);
}

static void a_copy_shows_its_time_and_priority_at_once(void **state)
{
        static const struct {
                const char *events;
                struct wanted_facts want;
        } table[] = {
                {"s1", {PRIORITY_LOW, 5000}},
                {"s1S1", {PRIORITY_CRITICAL, 7000}},
                {"s1d1S1D1", {PRIORITY_CRITICAL, 7000}},
                {"s1N1", {PRIORITY_CRITICAL, 0}},
                {"s1S1b1", {PRIORITY_CRITICAL, 7000}}, /* the start does not say which */
        };
        struct event events[EVENTS_MAX];

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                in_each_order(events, make(table[i].events, events), 0, check_facts,
                              &table[i].want);
}

/* The same content for now: the time that the row shows is over. */
static void run_now_ends_the_wait(void **state)
{
        static const struct wanted_facts want = {PRIORITY_LOW, 0};
        struct event events[] = {lettered('s', 1), lettered('N', 1)};

        (void)state;
        events[1].content = 1;
        events[1].job.priority = PRIORITY_LOW;
        in_each_order(events, COUNT(events), 0, check_facts, &want);
}

static void only_a_confirmed_copy_ends_what_is_below_it(void **state)
{
        static const struct {
                int64_t run, number, copy;
                bool want;
        } table[] = {
                {1, 1, 0, true},  {1, 1, COPY - 1, true}, {1, 1, COPY, false},
                {1, 2, 0, false}, {2, 1, 0, false},
        };
        struct event told[] = {lettered('s', 1), lettered('S', 1), lettered('M', 1)};
        struct job_row row = {0};
        const struct arrival a = {.clock = 9000};

        (void)state;
        for (size_t i = 0; i < COUNT(told); i++) {
                assert_false(job_row_has_moved(&row, 1, 1, 0));
                job_row_fold(&row, &told[i], &a);
        }
        for (size_t i = 0; i < COUNT(table); i++)
                assert_int_equal(
                        job_row_has_moved(&row, table[i].run, table[i].number, table[i].copy),
                        table[i].want);
        job_row_fini(&row);
}

static void a_run_is_to_be_cancelled_until_the_next(void **state)
{
        static const struct {
                const char *events;
                bool want;
        } table[] = {{"s1b1", false}, {"s1b1q1", true}, {"s1k1", true}, {"s1k1N2M2", false}};
        const struct arrival a = {.clock = 9000};

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct event events[EVENTS_MAX];
                struct job_row row = {0};
                unsigned count = make(table[i].events, events);
                for (unsigned j = 0; j < count; j++)
                        job_row_fold(&row, &events[j], &a);
                assert_int_equal(job_row_is_to_be_cancelled(&row), table[i].want);
                job_row_fini(&row);
        }
}

static void only_what_ran_is_an_attempt_that_was_cancelled(void **state)
{
        const struct event unrun = lettered('k', 1), ran = lettered('K', 1);
        const struct event moved = lettered('M', 1);
        int64_t run, attempt;

        (void)state;
        assert_false(event_attempt(&unrun, &run, &attempt));
        assert_false(event_attempt(&moved, &run, &attempt));
        assert_true(event_attempt(&ran, &run, &attempt));
        assert_int_equal(attempt, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_order_gives_the_same_row),
                cmocka_unit_test(a_copy_shows_its_time_and_priority_at_once),
                cmocka_unit_test(run_now_ends_the_wait),
                cmocka_unit_test(only_a_confirmed_copy_ends_what_is_below_it),
                cmocka_unit_test(a_run_is_to_be_cancelled_until_the_next),
                cmocka_unit_test(only_what_ran_is_an_attempt_that_was_cancelled),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
