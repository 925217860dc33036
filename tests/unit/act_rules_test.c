/* SPDX-License-Identifier: Apache-2.0
 *
 * act_rules_test.c: what acts do, by the job's row, which events have made.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "common/base/own.h"
#include "status-store/acts/act_rules.h"

#define ID "0190aaaa-0000-7000-8000-000000000001"
#define NOW ((msec)1800000000000)
#define HOUR ((msec)60 * MSEC_MINUTE)

static struct event job_event(enum event_kind kind, msec run_at)
{
        struct event e = {.kind = kind,
                          .run = 1,
                          .attempt = 1,
                          .at = NOW - HOUR,
                          .has_job = true,
                          .content = 5,
                          .tenant = "acme",
                          .id = ID};
        e.job = (struct job){.tenant = "acme",
                             .type = "noop",
                             .priority = PRIORITY_MEDIUM,
                             .lane = LANE_MEDIUM,
                             .run = 1,
                             .max_retries = 3,
                             .run_at = run_at,
                             .submitted_at = NOW - HOUR,
                             .payload = bytes_of_text("{}"),
                             .id = ID};
        e.scheduled = run_at > 0;
        return e;
}

static void fold(struct job_row *row, const struct event *e)
{
        const struct arrival a = {.offset = 1, .clock = NOW};
        (void)job_row_fold(row, e, &a);
}

static void tell(struct job_row *row, enum event_kind kind, int64_t attempt)
{
        struct event e = {.kind = kind,
                          .run = 1,
                          .attempt = attempt,
                          .at = NOW - MSEC_SECOND,
                          .after = NOW - MSEC_SECOND,
                          .worker = bytes_of_text("w/1"),
                          .tenant = "acme",
                          .id = ID};
        fold(row, &e);
}

/* Makes a row: s scheduled in an hour, n in a second, p pending, r running, g given back, f failed
 * and due in an hour, c cancelled, d dead, o completed, x forgotten; -: there is none. */
static void make(struct job_row *row, char which)
{
        msec run_at = which == 's' ? NOW + HOUR : which == 'n' ? NOW + MSEC_SECOND : 0;
        struct event submitted = job_event(EVENT_SUBMITTED, run_at);
        struct event failed = job_event(EVENT_FAILED, NOW + HOUR);
        struct event dead = job_event(EVENT_DEAD, 0);
        fold(row, &submitted);
        if (strchr("rgfo", which) != NULL)
                tell(row, EVENT_STARTED, 1);
        if (which == 'g')
                tell(row, EVENT_RELEASED, 1);
        failed.job.attempt = 1;
        failed.job.error = bytes_of_text("boom");
        if (which == 'f')
                fold(row, &failed);
        dead.at = NOW - HOUR;
        dead.reason = REASON_EXHAUSTED;
        if (which == 'd')
                fold(row, &dead);
        if (which == 'c')
                tell(row, EVENT_CANCELLED, 1);
        if (which == 'o' || which == 'x')
                tell(row, EVENT_COMPLETED, 1);
        if (which == 'x')
                tell(row, EVENT_FORGOTTEN, 0);
}

static struct act_plan judge_at(char which, const struct act *act, bool payload, msec now)
{
        struct job_row row = {.id = ""};
        struct act_plan plan;
        make(&row, which);
        act_judge(which == '-' ? NULL : &row, act, payload, now, &plan);
        job_row_fini(&row);
        return plan;
}

static struct act_plan judge(char which, enum act_kind kind)
{
        const struct act act = {.kind = kind, .run_at = NOW + 2 * HOUR, .priority = -1};
        return judge_at(which, &act, true, NOW);
}

static void the_status_decides(void **state)
{
        static const struct {
                enum act_kind kind;
                const char *rows;
                enum act_refusal want;
        } cases[] = {
                {ACT_CANCEL, "snpgfrc", ACT_ALLOWED}, {ACT_CANCEL, "do", ACT_JOB_ENDED},
                {ACT_CANCEL, "x-", ACT_NO_SUCH_JOB},  {ACT_RUN_NOW, "snf", ACT_ALLOWED},
                {ACT_RUN_NOW, "pg", ACT_NOT_DELAYED}, {ACT_RUN_NOW, "r", ACT_JOB_RUNNING},
                {ACT_RUN_NOW, "cdo", ACT_JOB_ENDED},  {ACT_MOVE, "snpgf", ACT_ALLOWED},
                {ACT_MOVE, "r", ACT_JOB_RUNNING},     {ACT_MOVE, "cdo", ACT_JOB_ENDED},
                {ACT_PRIORITY, "snpgf", ACT_ALLOWED}, {ACT_PRIORITY, "r", ACT_JOB_RUNNING},
                {ACT_RETRY, "cdo", ACT_ALLOWED},      {ACT_RETRY, "snpgfr", ACT_JOB_OPEN},
                {ACT_RETRY, "x-", ACT_NO_SUCH_JOB},   {ACT_FORGET, "cdox", ACT_ALLOWED},
                {ACT_FORGET, "snpgfr", ACT_JOB_OPEN}, {ACT_FORGET, "-", ACT_NO_SUCH_JOB},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                for (const char *row = cases[i].rows; *row != '\0'; row++) {
                        struct act_plan plan = judge(*row, cases[i].kind);
                        if (plan.refusal != cases[i].want)
                                fail_msg("act %d on %c: %d, not %d", cases[i].kind, *row,
                                         plan.refusal, cases[i].want);
                }
        }
}

static void what_is_so_already_is_not_done_again(void **state)
{
        (void)state;
        assert_true(judge('c', ACT_CANCEL).done);
        assert_true(judge('x', ACT_FORGET).done);
        assert_false(judge('o', ACT_FORGET).done);
}

/* A consumer that ends a job by a bulk mark cannot say who cancelled it. */
static void who_set_a_bulk_mark_is_told(void **state)
{
        struct act act = {.kind = ACT_CANCEL, .priority = -1, .marked = true};
        struct event by = {.kind = EVENT_CANCELLED,
                           .run = 1,
                           .attempt = 1,
                           .at = NOW,
                           .by = bytes_of_text("operation 1"),
                           .tenant = "acme",
                           .id = ID};
        struct job_row row = {.id = ""};
        struct act_plan plan;
        (void)state;
        make(&row, 'c');
        assert_true(job_row_is_untold(&row));
        act_judge(&row, &act, true, NOW, &plan);
        assert_int_equal(plan.refusal, ACT_ALLOWED);
        assert_int_equal(plan.kind, ACT_CANCEL);
        assert_int_equal(plan.attempt, 1);
        assert_false(plan.done);
        act.marked = false;
        act_judge(&row, &act, true, NOW, &plan);
        assert_true(plan.done);
        fold(&row, &by);
        assert_string_equal(row.act_by, "operation 1");
        assert_false(job_row_is_untold(&row));
        act.marked = true;
        act_judge(&row, &act, true, NOW, &plan);
        assert_true(plan.done);
        job_row_fini(&row);
}

static void a_cancel_names_the_attempt(void **state)
{
        (void)state;
        assert_int_equal(judge('s', ACT_CANCEL).kind, ACT_CANCEL);
        assert_int_equal(judge('s', ACT_CANCEL).attempt, 1);
        assert_int_equal(judge('f', ACT_CANCEL).attempt, 2);
        assert_int_equal(judge('r', ACT_CANCEL).kind, ACT_STOP);
        assert_int_equal(judge('r', ACT_CANCEL).attempt, 1);
        assert_int_equal(judge('s', ACT_CANCEL).due, NOW + HOUR);
}

/* A copy and its old message must not both start: the copy waits for the mark. */
static void a_copy_waits_while_the_old_message_may_start(void **state)
{
        (void)state;
        assert_int_equal(judge('s', ACT_RUN_NOW).run_at, 0);
        assert_int_equal(judge('f', ACT_RUN_NOW).run_at, 0);
        assert_int_equal(judge('n', ACT_RUN_NOW).run_at, NOW + 1000);
        assert_int_equal(judge('p', ACT_PRIORITY).run_at, NOW + 1000);
        assert_int_equal(judge('s', ACT_PRIORITY).run_at, NOW + HOUR);
        assert_int_equal(judge('p', ACT_MOVE).run_at, NOW + 2 * HOUR);
}

static void times_are_checked(void **state)
{
        struct act act = {.kind = ACT_MOVE, .priority = -1, .run_at = NOW - 1};
        (void)state;
        assert_int_equal(judge_at('s', &act, true, NOW).run_at, 0);
        assert_int_equal(judge_at('p', &act, true, NOW).refusal, ACT_NOT_DELAYED);
        act.priority = PRIORITY_HIGH;
        assert_int_equal(judge_at('p', &act, true, NOW).refusal, ACT_ALLOWED);
        act.run_at = NOW + JOB_DELAY_MAX + 1;
        assert_int_equal(judge_at('s', &act, true, NOW).refusal, ACT_TOO_FAR);

        struct job_row row = {.id = ""};
        struct event submitted = job_event(EVENT_SUBMITTED, NOW + HOUR);
        struct act_plan plan;
        submitted.job.expires_at = NOW + 2 * HOUR;
        fold(&row, &submitted);
        act.run_at = NOW + 2 * HOUR;
        act_judge(&row, &act, true, NOW, &plan);
        assert_int_equal(plan.refusal, ACT_AFTER_EXPIRY);
        act.run_at--;
        act_judge(&row, &act, true, NOW, &plan);
        assert_int_equal(plan.refusal, ACT_ALLOWED);
        job_row_fini(&row);
}

/* A consumer holds it, pending, until its time. */
static void a_job_that_is_held_needs_no_run_now(void **state)
{
        const struct act act = {.kind = ACT_RUN_NOW, .priority = -1};
        struct job_row row = {.id = ""};
        struct event submitted = job_event(EVENT_SUBMITTED, NOW + HOUR);
        struct event due = job_event(EVENT_DUE, NOW + 900);
        struct act_plan plan;
        (void)state;
        due.scheduled = false;
        fold(&row, &submitted);
        fold(&row, &due);
        assert_int_equal(row.status, STATUS_PENDING);
        act_judge(&row, &act, true, NOW, &plan);
        assert_int_equal(plan.refusal, ACT_DUE_SOON);
        act_judge(&row, &act, true, NOW + 900, &plan);
        assert_int_equal(plan.refusal, ACT_NOT_DELAYED);
        job_row_fini(&row);
}

static void without_its_payload_it_can_only_be_ended(void **state)
{
        static const struct {
                enum act_kind kind;
                char row;
                enum act_refusal want;
        } cases[] = {
                {ACT_CANCEL, 's', ACT_ALLOWED},          {ACT_FORGET, 'o', ACT_ALLOWED},
                {ACT_RUN_NOW, 's', ACT_PAYLOAD_UNKNOWN}, {ACT_MOVE, 's', ACT_PAYLOAD_UNKNOWN},
                {ACT_RETRY, 'o', ACT_PAYLOAD_UNKNOWN},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                const struct act act = {
                        .kind = cases[i].kind, .run_at = NOW + HOUR, .priority = -1};
                assert_int_equal(judge_at(cases[i].row, &act, false, NOW).refusal, cases[i].want);
        }
}

/* Its letter is archived by then: a retry goes through it, a forget deletes it. */
static void a_job_that_died_just_now_waits_for_its_letter(void **state)
{
        static const enum act_kind kinds[] = {ACT_RETRY, ACT_FORGET};
        const msec young = NOW - HOUR + ACT_LETTER_WAIT - 1;
        (void)state;
        for (size_t i = 0; i < COUNT(kinds); i++) {
                struct act act = {.kind = kinds[i], .priority = -1};
                assert_int_equal(judge_at('d', &act, true, young).refusal, ACT_LETTER_NOT_ARCHIVED);
                assert_int_equal(judge_at('d', &act, true, NOW).refusal, ACT_ALLOWED);
                act.archived = true;
                assert_int_equal(judge_at('d', &act, true, young).refusal, ACT_ALLOWED);
        }
}

static void a_copy_is_the_same_attempt(void **state)
{
        struct job_row row = {.id = ""};
        struct act act = {.kind = ACT_RUN_NOW, .priority = PRIORITY_HIGH};
        struct act_plan plan;
        struct job copy;
        (void)state;
        make(&row, 'f');
        act_judge(&row, &act, true, NOW, &plan);
        act_copy(&row, &plan, 77, bytes_of_text("{}"), &copy);
        assert_int_equal(copy.run, 1);
        assert_int_equal(copy.attempt, 1); /* one was made: it starts the second */
        assert_int_equal(copy.copy, 77);
        assert_int_equal(copy.moved, MOVED_BY_ACT);
        assert_int_equal(copy.lane, LANE_HIGH);
        assert_int_equal(copy.submitted_at, NOW - HOUR);
        assert_true(bytes_equal_text(copy.error, "boom"));
        job_row_fini(&row);
}

static void a_copy_of_what_was_given_back_says_so(void **state)
{
        (void)state;
        assert_int_equal(judge('g', ACT_MOVE).moved, MOVED_GIVEN_BACK);
        assert_int_equal(judge('g', ACT_MOVE).attempt, 1);
}

static void a_retry_begins_anew(void **state)
{
        struct job_row row = {.id = ""};
        const struct act act = {.kind = ACT_RETRY, .priority = -1};
        struct act_plan plan;
        struct job copy;
        (void)state;
        make(&row, 'd');
        act_judge(&row, &act, true, NOW, &plan);
        plan.run = 2; /* as it is granted */
        act_copy(&row, &plan, 77, bytes_of_text("{}"), &copy);
        assert_int_equal(copy.run, 2);
        assert_int_equal(copy.attempt, 0);
        assert_int_equal(copy.moved, MOVED_NOT);
        assert_int_equal(copy.expires_at, 0);
        assert_int_equal(copy.error.length, 0);
        job_row_fini(&row);
}

static void a_long_job_stays_in_its_lane(void **state)
{
        struct job_row row = {.id = ""};
        struct event submitted = job_event(EVENT_SUBMITTED, NOW + HOUR);
        const struct act act = {.kind = ACT_PRIORITY, .priority = PRIORITY_CRITICAL};
        struct act_plan plan;
        struct job copy;
        (void)state;
        submitted.job.lane = LANE_LONG;
        fold(&row, &submitted);
        act_judge(&row, &act, true, NOW, &plan);
        act_copy(&row, &plan, 1, bytes_of_text("{}"), &copy);
        assert_int_equal(copy.lane, LANE_LONG);
        assert_int_equal(copy.priority, PRIORITY_CRITICAL);
        job_row_fini(&row);
}

static void each_refusal_has_its_words(void **state)
{
        (void)state;
        for (int why = ACT_NO_SUCH_JOB; why <= ACT_AFTER_EXPIRY; why++) {
                const struct act_refused *r = act_refused((enum act_refusal)why);
                assert_true(r->status == 404 || r->status == 409 || r->status == 422);
                assert_non_null(r->detail);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_status_decides),
                cmocka_unit_test(what_is_so_already_is_not_done_again),
                cmocka_unit_test(who_set_a_bulk_mark_is_told),
                cmocka_unit_test(a_cancel_names_the_attempt),
                cmocka_unit_test(a_copy_waits_while_the_old_message_may_start),
                cmocka_unit_test(times_are_checked),
                cmocka_unit_test(a_job_that_is_held_needs_no_run_now),
                cmocka_unit_test(without_its_payload_it_can_only_be_ended),
                cmocka_unit_test(a_job_that_died_just_now_waits_for_its_letter),
                cmocka_unit_test(a_copy_is_the_same_attempt),
                cmocka_unit_test(a_copy_of_what_was_given_back_says_so),
                cmocka_unit_test(a_retry_begins_anew),
                cmocka_unit_test(a_long_job_stays_in_its_lane),
                cmocka_unit_test(each_refusal_has_its_words),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
