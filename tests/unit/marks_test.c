/* SPDX-License-Identifier: Apache-2.0
 *
 * marks_test.c: which messages are over by the marks that are held, and what is said once some had
 * to be dropped.
 */
#include "consumer/marks.h"

#include <stdio.h>
#include <string.h>

#include "common/base/own.h"
#include "tests/unit/unit.h"

#define NOW ((msec)1764000000000)
#define KEEP (2 * MSEC_DAY)
#define END JOB_COUNTER_MAX

static struct mark of_job(int number, int64_t run, int64_t attempt, int64_t copy)
{
        struct mark m = {.tenant = "acme",
                         .run = run,
                         .attempt = attempt,
                         .copy = copy,
                         .at = NOW,
                         .why = copy == END ? MARK_FOR_CANCEL : MARK_FOR_RUN_NOW};

        snprintf(m.id, sizeof(m.id), "01902f5e-7b1a-7000-8000-%012d", number);
        return m;
}

static struct job message(int number, int64_t run, int64_t attempt, int64_t copy)
{
        struct job job = {.tenant = "acme",
                          .type = "mail",
                          .run = run,
                          .attempt = attempt,
                          .copy = copy,
                          .submitted_at = NOW - 1000,
                          .queued_at = NOW};

        snprintf(job.id, sizeof(job.id), "01902f5e-7b1a-7000-8000-%012d", number);
        return job;
}

static void the_greatest_mark_of_a_job_counts(void **state)
{
        static const struct {
                struct {
                        int64_t run, attempt, copy;
                } marks[3], message; /* message.attempt: made before it */
                enum mark_verdict want;
        } rows[] = {
                {{{0, 0, 0}}, {1, 0, 0}, MARK_NONE},
                {{{1, 1, 5}}, {1, 0, 0}, MARK_MOVED},
                {{{1, 1, 5}}, {1, 0, 4}, MARK_MOVED},
                {{{1, 1, 5}}, {1, 0, 5}, MARK_NONE},
                {{{1, 1, 5}}, {1, 1, 0}, MARK_NONE}, /* the retry of what started all the same */
                {{{1, 1, 5}, {1, 1, 9}}, {1, 0, 5}, MARK_MOVED},
                {{{1, 1, 9}, {1, 1, 5}}, {1, 0, 5}, MARK_MOVED},
                {{{1, END, END}}, {1, 7, 5}, MARK_CANCELLED},
                {{{1, END, END}, {1, 1, 9}}, {1, 0, 9}, MARK_CANCELLED},
                {{{1, END, END}}, {2, 0, 9}, MARK_NONE},
                {{{1, END, END}, {2, 1, 9}}, {1, 0, 0}, MARK_MOVED}, /* told when it ended */
                {{{1, END, END}, {2, 1, 9}}, {2, 0, 9}, MARK_NONE},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                AUTO(marks) m = marks_create(1 << 20, KEEP);
                for (int k = 0; k < 3 && rows[i].marks[k].run != 0; k++) {
                        struct mark one = of_job(1, rows[i].marks[k].run, rows[i].marks[k].attempt,
                                                 rows[i].marks[k].copy);
                        marks_note(m, &one, NOW);
                }
                struct job job = message(1, rows[i].message.run, rows[i].message.attempt,
                                         rows[i].message.copy);
                if (marks_judge(m, &job) != rows[i].want)
                        fail_msg("row %zu: %d", i, marks_judge(m, &job));
                memcpy(job.tenant, "other", 6);
                assert_int_equal(marks_judge(m, &job), MARK_NONE);
        }
}

/* What a stream says again at a new connection is no news. */
static void what_is_known_changes_nothing(void **state)
{
        AUTO(marks) m = marks_create(1 << 20, KEEP);
        struct mark one = of_job(1, 1, 2, 5), less = of_job(1, 1, 1, 9);
        struct mark bulk = {.type = "mail", .before = NOW, .copy = 9, .at = NOW};

        (void)state;
        assert_true(marks_note(m, &one, NOW));
        assert_false(marks_note(m, &one, NOW));
        assert_false(marks_note(m, &less, NOW));
        assert_true(marks_note(m, &bulk, NOW));
        assert_false(marks_note(m, &bulk, NOW));
        assert_int_equal(marks_count(m), 2);
        one.at = NOW - KEEP - 1;
        one.copy = 99;
        assert_false(marks_note(m, &one, NOW));
}

static void old_marks_are_dropped(void **state)
{
        AUTO(marks) m = marks_create(1 << 20, KEEP);
        struct mark one = of_job(1, 1, END, END);
        struct mark bulk = {.type = "mail", .before = NOW, .copy = 9, .at = NOW};
        struct job job = message(1, 1, 0, 0);

        (void)state;
        marks_note(m, &one, NOW);
        marks_note(m, &bulk, NOW);
        marks_drop_old(m, NOW + KEEP);
        assert_int_equal(marks_count(m), 2);
        marks_drop_old(m, NOW + KEEP + 1);
        assert_int_equal(marks_count(m), 0);
        assert_int_equal(marks_judge(m, &job), MARK_NONE);
}

static void beyond_its_bytes_messages_are_asked_about(void **state)
{
        enum { MANY = 5000, MOST = 100 * 1024 };
        AUTO(marks) m = marks_create(MOST, KEEP);
        msec forgotten = 0;

        (void)state;
        for (int i = 0; i < MANY; i++) {
                struct mark one = of_job(i, 1, END, END);
                one.at = NOW + i;
                marks_note(m, &one, NOW);
                assert_true(marks_bytes(m) <= MOST);
        }
        assert_true(marks_count(m) > MOST / 300);
        forgotten = NOW + MANY - 1 - (msec)marks_count(m);
        struct job last = message(MANY - 1, 1, 0, 0), first = message(0, 1, 0, 0),
                   unmarked = message(MANY, 1, 0, 0);
        assert_int_equal(marks_judge(m, &last), MARK_CANCELLED);
        assert_int_equal(marks_judge(m, &first), MARK_ASK);
        assert_int_equal(marks_judge(m, &unmarked), MARK_ASK);
        unmarked.queued_at = forgotten + MARKS_CLOCKS;
        assert_int_equal(marks_judge(m, &unmarked), MARK_ASK);
        unmarked.queued_at++;
        assert_int_equal(marks_judge(m, &unmarked), MARK_NONE);
        unmarked.queued_at = 0;
        assert_int_equal(marks_judge(m, &unmarked), MARK_ASK);
        struct mark again = of_job(0, 1, END, END); /* after a reconnect */
        assert_false(marks_note(m, &again, NOW));
        assert_int_equal(marks_judge(m, &last), MARK_CANCELLED);
        marks_drop_old(m, forgotten + KEEP);
        assert_int_equal(marks_judge(m, &unmarked), MARK_ASK);
        marks_drop_old(m, forgotten + KEEP + 1);
        assert_int_equal(marks_judge(m, &unmarked), MARK_NONE);
}

static void bulk_marks_are_by_tenant_and_type(void **state)
{
        static const struct {
                struct mark mark;
                struct job job;
                enum mark_verdict want;
        } rows[] = {
                {{.tenant = "acme", .type = "mail"}, {.submitted_at = NOW - 1}, MARK_CANCELLED},
                {{.tenant = "acme"}, {.submitted_at = NOW - 1}, MARK_CANCELLED},
                {{.type = "mail"}, {.submitted_at = NOW - 1}, MARK_CANCELLED},
                {{.tenant = ""}, {.submitted_at = NOW - 1}, MARK_CANCELLED},
                {{.tenant = "acme", .type = "mai"}, {.submitted_at = NOW - 1}, MARK_NONE},
                {{.tenant = "acm", .type = "mail"}, {.submitted_at = NOW - 1}, MARK_NONE},
                {{.tenant = "acme", .type = "mail"}, {.submitted_at = NOW}, MARK_NONE},
                {{.tenant = "acme", .type = "mail"},
                 {.submitted_at = NOW - 1, .copy = 9},
                 MARK_NONE},
                {{.tenant = "acme", .type = "mail"},
                 {.submitted_at = NOW - 1, .copy = 8},
                 MARK_CANCELLED},
                /* Its time is what its publisher says. */
                {{.tenant = "acme"}, {.submitted_at = NOW + 9, .outside = true}, MARK_ASK},
                {{.tenant = "acme"}, {.submitted_at = NOW - 1, .outside = true}, MARK_ASK},
                {{.tenant = "other"}, {.submitted_at = NOW + 9, .outside = true}, MARK_NONE},
                /* No job is moved by such a mark: there would have to be copies. */
                {{.tenant = "acme", .why = MARK_FOR_RUN_NOW}, {.submitted_at = NOW - 1}, MARK_NONE},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                AUTO(marks) m = marks_create(1 << 20, KEEP);
                struct mark mark = rows[i].mark;
                struct job job = rows[i].job;
                mark.before = mark.at = NOW;
                mark.copy = 9;
                memcpy(job.tenant, "acme", 5);
                memcpy(job.type, "mail", 5);
                memcpy(job.id, "01902f5e-7b1a-7000-8000-000000000001", UUID_SIZE);
                job.run = 1;
                job.queued_at = NOW;
                marks_note(m, &mark, NOW);
                if (marks_judge(m, &job) != rows[i].want)
                        fail_msg("row %zu: %d", i, marks_judge(m, &job));
        }
}

static void a_bulk_mark_takes_the_place_of_those_that_it_covers(void **state)
{
        AUTO(marks) m = marks_create(1 << 20, KEEP);
        struct mark mark = {.type = "mail", .before = NOW, .copy = 9, .at = NOW};
        struct job job = message(1, 1, 0, 0);

        (void)state;
        assert_true(marks_note(m, &mark, NOW));
        mark.before -= 5; /* of another filter: less, and a later copy */
        mark.copy++;
        assert_true(marks_note(m, &mark, NOW));
        assert_int_equal(marks_count(m), 2);
        mark.before = NOW + 1;
        mark.copy++;
        assert_true(marks_note(m, &mark, NOW));
        assert_int_equal(marks_count(m), 1);
        assert_int_equal(marks_judge(m, &job), MARK_CANCELLED);
}

static void too_many_bulk_marks_are_forgotten(void **state)
{
        AUTO(marks) m = marks_create(1 << 20, KEEP);

        (void)state;
        for (int i = 0; i <= MARKS_BULK_MAX; i++) {
                struct mark mark = {.before = NOW, .copy = 9, .at = NOW + i};
                snprintf(mark.type, sizeof(mark.type), "t%d", i);
                assert_true(marks_note(m, &mark, NOW));
        }
        assert_int_equal(marks_count(m), MARKS_BULK_MAX);
        struct job job = message(1, 1, 0, 0);
        assert_int_equal(marks_judge(m, &job), MARK_ASK);
        job.queued_at = NOW + MARKS_CLOCKS + 1;
        assert_int_equal(marks_judge(m, &job), MARK_NONE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_greatest_mark_of_a_job_counts),
                cmocka_unit_test(what_is_known_changes_nothing),
                cmocka_unit_test(old_marks_are_dropped),
                cmocka_unit_test(beyond_its_bytes_messages_are_asked_about),
                cmocka_unit_test(bulk_marks_are_by_tenant_and_type),
                cmocka_unit_test(a_bulk_mark_takes_the_place_of_those_that_it_covers),
                cmocka_unit_test(too_many_bulk_marks_are_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
