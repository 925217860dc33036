/* SPDX-License-Identifier: Apache-2.0
 *
 * duplicate_test.c: which deliveries are checked as duplicates, what the answers mean, and the
 * memory of what this consumer has finished.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/own.h"
#include "consumer/attempts.h"
#include "consumer/duplicate.h"
#include "consumer/duplicate_check.h"
#include "tests/unit/unit.h"

#define NOW ((msec)1732250000000)
#define ME "host-a/1"

static void suspects(void **state)
{
        static const struct {
                struct job job;
                struct duplicate_view view;
                bool want, want_stale;
        } rows[] = {
                {.job = {.queued_at = NOW - 1000}},
                {.job = {.queued_at = NOW + 1000}},
                {.job = {.queued_at = NOW - 1000}, .view = {.redelivered = true}, .want = true},
                {.job = {.queued_at = NOW - 1000, .again = true}, .want = true},
                {.job = {.queued_at = NOW - 1000, .copy = 1}, .want = true},
                {.job = {.queued_at = NOW - 1000, .attempt = 1}},
                {.job = {.queued_at = NOW - 1000}, .view = {.reconnected = true}},
                {.job = {.queued_at = NOW - 1000, .attempt = 1},
                 .view = {.reconnected = true},
                 .want = true},
                {.job = {.queued_at = NOW - MSEC_DAY}},
                {.job = {.queued_at = NOW - MSEC_DAY - 1}, .want = true, .want_stale = true},
                {.job = {.queued_at = NOW - 2001},
                 .view = {.marks_keep = 4000},
                 .want = true,
                 .want_stale = true},
                {.job = {.queued_at = NOW - 2000}, .view = {.marks_keep = 4000}},
                {.job = {.queued_at = NOW - 1000},
                 .view = {.unmarked = true},
                 .want = true,
                 .want_stale = true},
                {.job = {.queued_at = NOW - 1000, .submitted_at = NOW - 3 * (msec)MSEC_DAY}},
                {.job = {.submitted_at = NOW - 1000}},
                {.job = {.submitted_at = NOW - 3 * (msec)MSEC_DAY},
                 .want = true,
                 .want_stale = true},
                {.job = {.queued_at = 0}, .want = true, .want_stale = true},
                {.job = {.submitted_at = NOW + MSEC_DAY}},
                {.job = {.submitted_at = NOW + MSEC_DAY + 1}, .want = true, .want_stale = true},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct duplicate_view view = rows[i].view;
                if (view.marks_keep == 0)
                        view.marks_keep = 2 * MSEC_DAY;
                if (duplicate_is_possible(&rows[i].job, &view, NOW) != rows[i].want ||
                    duplicate_is_stale(&rows[i].job, &view, NOW) != rows[i].want_stale)
                        fail_msg("row %zu", i);
        }
}

/* By its submission: a hop makes the message young, and not the job. */
static void of_old_jobs_only_the_primary_knows_all(void **state)
{
        static const struct {
                struct job job;
                bool want;
        } rows[] = {
                {{.submitted_at = NOW - MSEC_DAY, .queued_at = NOW}, false},
                {{.submitted_at = NOW - MSEC_DAY - 1, .queued_at = NOW}, true},
                {{.queued_at = NOW}, true},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                assert_int_equal(duplicate_needs_primary(&rows[i].job, 2 * MSEC_DAY, NOW),
                                 rows[i].want);
}

static void which_may_have_copies(void **state)
{
        static const struct {
                struct job job;
                bool want, want_silent, want_behind;
        } rows[] = {
                {{.run = 1}, false, false, false},
                {{.run = 1, .again = true}, true, false, true},
                {{.run = 1, .attempt = 1, .again = true}, true, false, true},
                {{.run = 1, .key = "k"}, true, false, false},
                {{.run = 1, .key = "k", .again = true}, true, false, true},
                {{.run = 1, .attempt = 1, .key = "k"}, false, false, false},
                {{.run = 2, .key = "k"}, false, false, false},
                {{.run = 2, .attempt = 3, .copy = 1}, true, false, true},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                const struct job *job = &rows[i].job;
                assert_int_equal(duplicate_asks_for_copies(job, DUPLICATE_UNKNOWN), rows[i].want);
                assert_int_equal(duplicate_asks_for_copies(job, DUPLICATE_SILENT),
                                 rows[i].want_silent);
                assert_int_equal(duplicate_asks_for_copies(job, DUPLICATE_BEHIND),
                                 rows[i].want_behind);
        }
}

static void verdicts(void **state)
{
        static const struct {
                struct duplicate_answer answer;
                enum duplicate_step want;
        } rows[] = {
                {{.state = DUPLICATE_UNKNOWN}, DUPLICATE_RUN},
                {{.state = DUPLICATE_OPEN}, DUPLICATE_RUN},
                {{.state = DUPLICATE_OPEN, .starts = 4}, DUPLICATE_RUN_AGAIN},
                {{.state = DUPLICATE_OPEN, .starts = 5}, DUPLICATE_BURY},
                {{.state = DUPLICATE_BURIED, .starts = 9}, DUPLICATE_BURY_AGAIN},
                {{.state = DUPLICATE_CLOSED}, DUPLICATE_DROP},
                {{.state = DUPLICATE_CLOSED, .starts = 9}, DUPLICATE_DROP},
                {{.state = DUPLICATE_SUPERSEDED, .starts = 9}, DUPLICATE_DROP},
                {{.state = DUPLICATE_RETRYING, .starts = 9}, DUPLICATE_WAIT},
                {{.state = DUPLICATE_RUNNING, .worker = "b/2", .worker_alive = true},
                 DUPLICATE_WAIT},
                {{.state = DUPLICATE_RUNNING, .worker = "b/2", .worker_alive = true, .starts = 7},
                 DUPLICATE_WAIT},
                {{.state = DUPLICATE_RUNNING, .worker = "b/2", .starts = 1}, DUPLICATE_RUN_AGAIN},
                {{.state = DUPLICATE_RUNNING, .worker = "b/2", .starts = 5}, DUPLICATE_BURY},
                {{.state = DUPLICATE_RUNNING, .worker = ME, .worker_alive = true},
                 DUPLICATE_RUN_AGAIN},
                {{.state = DUPLICATE_SILENT}, DUPLICATE_RUN_AGAIN},
                {{.state = DUPLICATE_BEHIND}, DUPLICATE_POSTPONE},
                {{.state = DUPLICATE_BEHIND, .starts = 9}, DUPLICATE_POSTPONE},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                assert_int_equal(duplicate_judge(&rows[i].answer, ME, DOUBT_POSSIBLE),
                                 rows[i].want);
}

/* Nothing but its key says that it may be a duplicate. */
static void for_its_key_alone_it_waits_for_no_store(void **state)
{
        static const struct {
                enum duplicate_state state;
                enum duplicate_step want;
        } rows[] = {
                {DUPLICATE_BEHIND, DUPLICATE_RUN},    {DUPLICATE_SILENT, DUPLICATE_RUN},
                {DUPLICATE_OPEN, DUPLICATE_RUN},      {DUPLICATE_CLOSED, DUPLICATE_DROP},
                {DUPLICATE_RETRYING, DUPLICATE_WAIT},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                const struct duplicate_answer a = {.state = rows[i].state};
                assert_int_equal(duplicate_judge(&a, ME, DOUBT_KEY), rows[i].want);
        }
}

static void what_may_be_over_waits_for_a_store(void **state)
{
        static const struct {
                enum duplicate_state state;
                enum duplicate_step want;
        } rows[] = {
                {DUPLICATE_SILENT, DUPLICATE_POSTPONE}, {DUPLICATE_BEHIND, DUPLICATE_POSTPONE},
                {DUPLICATE_UNKNOWN, DUPLICATE_RUN},     {DUPLICATE_OPEN, DUPLICATE_RUN},
                {DUPLICATE_CLOSED, DUPLICATE_DROP},     {DUPLICATE_RETRYING, DUPLICATE_WAIT},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                const struct duplicate_answer a = {.state = rows[i].state};
                assert_int_equal(duplicate_judge(&a, ME, DOUBT_OLD), rows[i].want);
        }
}

static void what_may_be_over(void **state)
{
        static const struct {
                struct job job;
                bool want;
        } rows[] = {
                {{.queued_at = NOW - MSEC_DAY, .submitted_at = NOW - 3 * (msec)MSEC_DAY}, false},
                {{.queued_at = NOW - MSEC_DAY - 1, .submitted_at = NOW}, true},
                {{.queued_at = 0, .submitted_at = 0}, false}, /* from outside, without a time */
                {{.queued_at = NOW, .submitted_at = 0, .again = true}, false},
                /* It was sent away when no store answered, and is back. */
                {{.queued_at = NOW, .submitted_at = NOW - MSEC_DAY - 1, .again = true}, true},
                {{.queued_at = NOW, .submitted_at = NOW - MSEC_DAY, .again = true}, false},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                if (duplicate_outlives_marks(&rows[i].job, 2 * MSEC_DAY, NOW) != rows[i].want)
                        fail_msg("row %zu", i);
        }
}

static void hops_grow_with_the_lag(void **state)
{
        static const struct {
                msec lag, want;
        } rows[] = {
                {0, 1000}, {3999, 1000}, {8000, 2000}, {119999, 29999}, {(msec)MSEC_DAY, 30000},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                const struct duplicate_answer a = {.state = DUPLICATE_BEHIND, .lag = rows[i].lag};
                assert_int_equal(duplicate_hop(&a), rows[i].want);
        }
}

static void a_lag_is_read(void **state)
{
        const char *text = "{\"deliveries\":[{\"state\":\"behind\"}],\"lag_ms\":7000}";
        struct duplicate_answer a;
        struct err e = {0};
        bool primary;

        (void)state;
        assert_int_equal(duplicate_check_parse(bytes_of_text(text), &a, 1, &primary, &e), 0);
        assert_int_equal(a.state, DUPLICATE_BEHIND);
        assert_int_equal(a.lag, 7000);
        buffer_fini(&a.error);
}

static void answers_are_read(void **state)
{
        static const struct {
                const char *text;
                size_t count;
                bool want;
        } rows[] = {
                {"{\"deliveries\":[]}", 0, true},
                {"{\"deliveries\":[{\"state\":\"open\",\"worker\":null,\"worker_alive\":false,"
                 "\"starts\":0}]}",
                 1, true},
                {"{\"deliveries\":[{\"state\":\"open\"},{\"state\":\"closed\"}]}", 2, true},
                {"{\"deliveries\":[{\"state\":\"open\"}]}", 2, false},
                {"{\"deliveries\":[{\"state\":\"silent\"}]}", 1, false},
                {"{\"deliveries\":[{\"state\":7}]}", 1, false},
                {"{\"deliveries\":[{\"state\":\"buried\",\"reason\":\"exhausted\"}]}", 1, true},
                {"{\"deliveries\":[{\"state\":\"buried\",\"reason\":\"\",\"error\":\"x\"}]}", 1,
                 false},
                {"{\"deliveries\":[{\"state\":\"buried\",\"reason\":\"poison\",\"error\":\"x\"},"
                 "{\"state\":\"buried\",\"error\":\"x\"}]}",
                 2, false},
                {"{\"deliveries\":[{}]}", 1, false},
                {"{\"deliveries\":{}}", 1, false},
                {"[]", 1, false},
                {"", 1, false},
                {"nonsense", 1, false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct duplicate_answer answers[2];
                struct err e = {0};
                bool primary;
                int got = duplicate_check_parse(bytes_of_text(rows[i].text), answers, rows[i].count,
                                                &primary, &e);
                assert_int_equal(got, rows[i].want ? 0 : -1);
                assert_int_equal(err_is_set(&e), !rows[i].want);
                for (size_t at = 0; at < rows[i].count; at++)
                        buffer_fini(&answers[at].error);
        }
}

static void an_answer_is_whole(void **state)
{
        const char *text = "{\"deliveries\":[{\"state\":\"running\",\"worker\":\"b/2\","
                           "\"worker_alive\":true,\"starts\":3}]}";
        struct duplicate_answer a;
        struct err e = {0};
        bool primary;

        (void)state;
        assert_int_equal(duplicate_check_parse(bytes_of_text(text), &a, 1, &primary, &e), 0);
        assert_int_equal(a.state, DUPLICATE_RUNNING);
        assert_string_equal(a.worker, "b/2");
        assert_true(a.worker_alive);
        assert_int_equal(a.starts, 3);
        buffer_fini(&a.error);
}

/* An error is any text of a handler, also one with a NUL. */
static void a_burial_is_told_whole(void **state)
{
        const char *text = "{\"deliveries\":[{\"state\":\"buried\",\"worker\":\"b/2\","
                           "\"worker_alive\":false,\"starts\":1,\"reason\":\"permanent\","
                           "\"error_kind\":\"timeout\",\"error\":\"a\\u0000b\"}]}";
        struct duplicate_answer a;
        struct err e = {0};
        bool primary;

        (void)state;
        assert_int_equal(duplicate_check_parse(bytes_of_text(text), &a, 1, &primary, &e), 0);
        assert_int_equal(a.state, DUPLICATE_BURIED);
        assert_int_equal(a.reason, REASON_PERMANENT);
        assert_int_equal(a.error_kind, ERROR_KIND_TIMEOUT);
        assert_int_equal(a.error.length, 3);
        assert_memory_equal(a.error.data, "a\0b", 3);
        buffer_fini(&a.error);
}

static struct attempt_key key_of(int number)
{
        struct job job = {.tenant = "acme", .run = 1, .attempt = number};
        struct attempt_key key;

        snprintf(job.id, sizeof(job.id), "01902f5e-7b1a-7000-8000-%012d", number / 2);
        attempt_key_of(&job, &key);
        return key;
}

static void the_last_finished_are_remembered(void **state)
{
        AUTO(finished) r = finished_create(100);

        (void)state;
        for (int i = 0; i < 1000; i++) {
                struct attempt_key key = key_of(i);
                assert_false(finished_has(r, &key));
                finished_add(r, &key);
                finished_add(r, &key); /* adding it twice takes one place */
        }
        for (int i = 0; i < 1000; i++) {
                struct attempt_key key = key_of(i);
                assert_int_equal(finished_has(r, &key), i >= 900);
        }
}

static void a_message_is_told_from_its_attempt(void **state)
{
        struct job job = {.tenant = "acme", .id = "x", .run = 1, .queued_at = NOW};
        struct attempt_key attempt, message, later;

        (void)state;
        attempt_key_of(&job, &attempt);
        attempt_key_of_message(&job, &message);
        job.queued_at++;
        attempt_key_of_message(&job, &later);
        assert_memory_not_equal(&attempt, &message, sizeof(attempt));
        assert_memory_not_equal(&message, &later, sizeof(attempt));
        job.queued_at = 0;
        attempt_key_of_message(&job, &message);
        assert_memory_not_equal(&attempt, &message, sizeof(attempt));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(suspects),
                cmocka_unit_test(of_old_jobs_only_the_primary_knows_all),
                cmocka_unit_test(which_may_have_copies),
                cmocka_unit_test(verdicts),
                cmocka_unit_test(for_its_key_alone_it_waits_for_no_store),
                cmocka_unit_test(what_may_be_over_waits_for_a_store),
                cmocka_unit_test(what_may_be_over),
                cmocka_unit_test(hops_grow_with_the_lag),
                cmocka_unit_test(a_lag_is_read),
                cmocka_unit_test(answers_are_read),
                cmocka_unit_test(an_answer_is_whole),
                cmocka_unit_test(a_burial_is_told_whole),
                cmocka_unit_test(the_last_finished_are_remembered),
                cmocka_unit_test(a_message_is_told_from_its_attempt),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
