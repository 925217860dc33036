/* SPDX-License-Identifier: Apache-2.0
 *
 * fold_order_test.c: a start may be read before the submission, or without one, and a submission
 * may be in doubt. Which row that gives, in each order.
 */
#include <stdio.h>
#include <string.h>

#include "common/model/fold.h"
#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"

/* Calls check(row, owner) for the row of each order of the events. */
typedef void check_fn(const struct job_row *row, void *owner);

static void in_each_order(struct event *events, unsigned count, unsigned fixed, check_fn *check,
                          void *owner)
{
        if (fixed == count) {
                struct job_row row = {0};
                for (unsigned i = 0; i < count; i++) {
                        struct arrival a = {.offset = i, .clock = 5000};
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

struct wanted {
        bool shown;
        enum status status;
        const char *type; /* "": unknown */
        int priority;     /* -1: unknown */
        bool hinted;      /* by a start or completion, as no job message is known */
        msec created_at;
};

static void check_wanted(const struct job_row *row, void *owner)
{
        const struct wanted *w = owner;

        assert_int_equal(row->shown, w->shown);
        if (w->shown)
                assert_int_equal(row->status, w->status);
        assert_string_equal(job_row_type(row), w->type);
        assert_int_equal(job_row_priority(row), w->priority);
        assert_int_equal(job_row_hint(row) != NULL, w->hinted);
        if (w->created_at > 0)
                assert_int_equal(row->created_at, w->created_at);
}

/* One event, in letters: s submitted, d in doubt, D due, b started, B by an older consumer, c
 * completed, C by an older consumer, e expired (cancelled unrun), f failed, r rejected, x
 * forgotten. */
static struct event lettered(char letter, int64_t run)
{
        static const struct {
                char letter;
                enum event_kind kind;
        } kinds[] = {
                {'s', EVENT_SUBMITTED}, {'d', EVENT_SUBMITTED}, {'D', EVENT_DUE},
                {'b', EVENT_STARTED},   {'B', EVENT_STARTED},   {'c', EVENT_COMPLETED},
                {'C', EVENT_COMPLETED}, {'f', EVENT_FAILED},    {'r', EVENT_REJECTED},
                {'x', EVENT_FORGOTTEN}, {'e', EVENT_CANCELLED},
        };
        size_t at = 0;

        while (kinds[at].letter != letter)
                at++;
        struct event e = {.kind = kinds[at].kind,
                          .id = ID,
                          .tenant = "acme",
                          .run = run,
                          .attempt = letter == 'x' || letter == 'e' ? 0 : 1,
                          .at = 3000,
                          .digest = (uint64_t)letter,
                          .has_job = strchr("sdDf", letter) != NULL};
        e.hint.priority = e.hint.max_retries = -1;
        e.reason = letter == 'e' ? REASON_EXPIRED : REASON_NONE;
        if (e.has_job) {
                snprintf(e.job.type, sizeof(e.job.type), "told");
                e.job.priority = PRIORITY_HIGH;
                e.job.submitted_at = 2000;
                e.job.doubt = letter == 'd';
                e.content = 1;
        }
        if (letter == 'b' || letter == 'c' || letter == 'e')
                snprintf(e.hint.type, sizeof(e.hint.type), "hint%d", (int)run);
        if (letter == 'b' || letter == 'e') {
                e.hint.priority = PRIORITY_LOW;
                e.hint.submitted_at = 2000;
        }
        return e;
}

static void a_start_may_come_before_the_submission(void **state)
{
        static const struct {
                const char *events; /* each with its run */
                struct wanted want;
        } rows[] = {
                {"d1", {false, STATUS_PENDING, "told", PRIORITY_HIGH, false, 2000}},
                {"d1r1", {false, STATUS_PENDING, "told", PRIORITY_HIGH, false, 2000}},
                {"d1s1", {true, STATUS_PENDING, "told", PRIORITY_HIGH, false, 2000}},
                {"d1D1", {true, STATUS_PENDING, "told", PRIORITY_HIGH, false, 2000}},
                {"d1b1", {true, STATUS_RUNNING, "told", PRIORITY_HIGH, false, 2000}},
                {"d1b1c1", {true, STATUS_COMPLETED, "told", PRIORITY_HIGH, false, 2000}},
                {"d1f1", {true, STATUS_FAILED, "told", PRIORITY_HIGH, false, 2000}},
                {"d1x1", {false, STATUS_PENDING, "", -1, false, 2000}},
                {"s1b1c1", {true, STATUS_COMPLETED, "told", PRIORITY_HIGH, false, 2000}},
                {"D1b1", {true, STATUS_RUNNING, "told", PRIORITY_HIGH, false, 2000}},
                /* No job message came. */
                {"b1", {true, STATUS_RUNNING, "hint1", PRIORITY_LOW, true, 2000}},
                {"c1", {true, STATUS_COMPLETED, "hint1", -1, true, 0}},
                {"b1c1", {true, STATUS_COMPLETED, "hint1", PRIORITY_LOW, true, 2000}},
                {"B1c1", {true, STATUS_COMPLETED, "hint1", -1, true, 0}},
                {"B1b1C1", {true, STATUS_COMPLETED, "hint1", PRIORITY_LOW, true, 2000}},
                {"B1C1", {true, STATUS_COMPLETED, "", -1, false, 0}},
                {"b1b2", {true, STATUS_RUNNING, "hint2", PRIORITY_LOW, true, 2000}},
                {"b1x1", {false, STATUS_PENDING, "", -1, false, 2000}},
                {"e1", {true, STATUS_CANCELLED, "hint1", PRIORITY_LOW, true, 2000}},
                {"d1e1", {true, STATUS_CANCELLED, "told", PRIORITY_HIGH, false, 2000}},
                {"s1f1e1", {true, STATUS_CANCELLED, "told", PRIORITY_HIGH, false, 2000}},
                /* Two say that it expired; or it had started in time, and that is told late. */
                {"s1e1e1", {true, STATUS_CANCELLED, "told", PRIORITY_HIGH, false, 2000}},
                {"s1b1e1", {true, STATUS_CANCELLED, "told", PRIORITY_HIGH, false, 2000}},
                {"s1b1c1e1", {true, STATUS_COMPLETED, "told", PRIORITY_HIGH, false, 2000}},
                /* A replay does not expire. */
                {"s1e1s2b2", {true, STATUS_RUNNING, "told", PRIORITY_HIGH, false, 2000}},
                /* A message of another run. */
                {"s1b2", {true, STATUS_RUNNING, "told", PRIORITY_HIGH, false, 2000}},
                {"b1s2", {true, STATUS_PENDING, "told", PRIORITY_HIGH, false, 2000}},
                {"s1b2x1", {true, STATUS_RUNNING, "hint2", PRIORITY_LOW, true, 2000}},
                {"s1b1b2x1", {true, STATUS_RUNNING, "hint2", PRIORITY_LOW, true, 2000}},
                {"s1s2b2x1", {true, STATUS_RUNNING, "told", PRIORITY_HIGH, false, 2000}},
                {"s1b2x2", {false, STATUS_PENDING, "", -1, false, 2000}},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct event events[4];
                unsigned count = 0;
                struct wanted want = rows[i].want;
                for (const char *at = rows[i].events; *at != '\0'; at += 2)
                        events[count++] = lettered(at[0], at[1] - '0');
                print_message("%s\n", rows[i].events);
                in_each_order(events, count, 0, check_wanted, &want);
        }
}

static void check_run_at(const struct job_row *row, void *owner)
{
        assert_int_equal(job_row_facts(row)->run_at, *(msec *)owner);
}

/* The time to run is known from the message that came due, too, unless a hop has replaced it. */
static void a_job_that_comes_due_says_when(void **state)
{
        static const struct {
                const char *events;
                bool hop;
                msec want;
        } rows[] = {{"D1", false, 2500}, {"D1", true, 0}, {"D1s1", true, 2400}, {"s1", true, 2400}};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct event events[2];
                unsigned count = 0;
                msec want = rows[i].want;
                for (const char *at = rows[i].events; *at != '\0'; at += 2) {
                        struct event e = lettered(at[0], 1);
                        e.scheduled = at[0] == 's';
                        e.job.hop = at[0] == 'D' && rows[i].hop;
                        e.job.run_at = at[0] == 's' ? 2400 : 2500;
                        events[count++] = e;
                }
                in_each_order(events, count, 0, check_run_at, &want);
        }
}

static void check_finished_at(const struct job_row *row, void *owner)
{
        assert_int_equal(row->finished_at, *(msec *)owner);
}

/* The primary tells of it, then, later, the consumer that gets the message. */
static void of_two_expiries_the_first_counts(void **state)
{
        static const struct {
                const char *events; /* one a millisecond */
                msec want;
        } rows[] = {{"e", 3000}, {"see", 3001}, {"sbee", 3002}, {"eeec", 3003}};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct event events[4];
                unsigned count = 0;
                msec want = rows[i].want;
                for (const char *at = rows[i].events; *at != '\0'; at++) {
                        events[count] = lettered(*at, 1);
                        events[count].at = 3000 + count;
                        count++;
                }
                in_each_order(events, count, 0, check_finished_at, &want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_start_may_come_before_the_submission),
                cmocka_unit_test(a_job_that_comes_due_says_when),
                cmocka_unit_test(of_two_expiries_the_first_counts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
