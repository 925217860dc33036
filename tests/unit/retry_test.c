/* SPDX-License-Identifier: Apache-2.0
 *
 * retry_test.c: backoff within its bounds for any attempt, and verdicts.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "common/model/retry.h"
#include "tests/unit/unit.h"

static void backoff_doubles_up_to_its_cap(void **state)
{
        const struct retry_policy p = RETRY_POLICY_DEFAULT;
        static const struct {
                int64_t attempt;
                double chance;
                msec want;
        } rows[] = {
                {1, 0.5, 1000},         {2, 0.5, 2000},
                {3, 0.5, 4000},         {10, 0.5, 512000},
                {11, 0.5, 600000},      {1, 0, 800},
                {0, 0.5, 1000},         {-7, 0.5, 1000},
                {1000, 0.5, 600000},    {(int64_t)1 << 62, 0.5, 600000},
                {INT64_MAX, 0, 480000},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                assert_int_equal(retry_backoff(&p, rows[i].attempt, rows[i].chance), rows[i].want);
}

static void backoff_stays_within_its_jitter(void **state)
{
        const struct retry_policy p = RETRY_POLICY_DEFAULT;

        (void)state;
        for (int64_t attempt = 1; attempt < 70; attempt++) {
                double middle = fmin(1000 * pow(2, (double)(attempt - 1)), 600000);
                msec last = 0;
                for (double chance = 0; chance < 1; chance += 1.0 / 64) {
                        msec wait = retry_backoff(&p, attempt, chance);
                        assert_true((double)wait >= middle * 0.8 - 1);
                        assert_true((double)wait <= middle * 1.2);
                        assert_true(wait >= last);
                        last = wait;
                }
        }
}

static void odd_policies_end_at_the_cap(void **state)
{
        static const struct retry_policy rows[] = {
                {.base = INT64_MAX, .cap = 5000, .factor = 10},
                {.base = 1, .cap = 5000, .factor = INFINITY},
                {.base = 0, .cap = 5000, .factor = INFINITY}, /* 0 × infinity is not a number */
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                assert_int_equal(retry_backoff(&rows[i], (int64_t)1 << 62, 0.3), 5000);
}

static void an_ended_attempt_gets_its_verdict(void **state)
{
        const struct retry_policy p = RETRY_POLICY_DEFAULT;
        static const struct {
                struct attempt_end end;
                enum verdict want;
                msec want_wait;
                enum reason want_reason;
        } rows[] = {
                {{OUTCOME_DONE, 1, 3, 0}, VERDICT_COMPLETE, 0, REASON_NONE},
                {{OUTCOME_STOPPED, 9, 3, 0}, VERDICT_CANCEL, 0, REASON_NONE},
                {{OUTCOME_PERMANENT, 1, 3, 500}, VERDICT_BURY, 0, REASON_PERMANENT},
                {{OUTCOME_RETRY, 1, 0, 0}, VERDICT_BURY, 0, REASON_EXHAUSTED},
                {{OUTCOME_RETRY, 1, 0, 500}, VERDICT_BURY, 0, REASON_EXHAUSTED},
                {{OUTCOME_RETRY, 1, 1, 0}, VERDICT_RETRY, 1000, REASON_NONE},
                {{OUTCOME_RETRY, 3, 3, 0}, VERDICT_RETRY, 4000, REASON_NONE},
                {{OUTCOME_RETRY, 4, 3, 0}, VERDICT_BURY, 0, REASON_EXHAUSTED},
                {{OUTCOME_RETRY, INT64_MAX, 100, 0}, VERDICT_BURY, 0, REASON_EXHAUSTED},
                {{OUTCOME_RETRY, 1, 3, 12345}, VERDICT_RETRY, 12345, REASON_NONE},
                {{OUTCOME_RETRY, 1, 3, INT64_MAX}, VERDICT_RETRY, RETRY_AFTER_MAX, REASON_NONE},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                enum reason reason;
                msec wait;
                assert_int_equal(attempt_verdict(&rows[i].end, &p, 0.5, &wait, &reason),
                                 rows[i].want);
                assert_int_equal(wait, rows[i].want_wait);
                assert_int_equal(reason, rows[i].want_reason);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(backoff_doubles_up_to_its_cap),
                cmocka_unit_test(backoff_stays_within_its_jitter),
                cmocka_unit_test(odd_policies_end_at_the_cap),
                cmocka_unit_test(an_ended_attempt_gets_its_verdict),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
