/* SPDX-License-Identifier: Apache-2.0
 *
 * delay_test.c: the choice of a bucket at its edges, rounding, and the step of a waiting job.
 */
#include <limits.h>
#include <string.h>

#include "common/model/delay.h"
#include "tests/unit/unit.h"

static void the_bucket_is_the_largest_that_fits(void **state)
{
        static const struct {
                msec left;
                const char *want; /* NULL: none */
        } rows[] = {
                {-1, NULL},
                {0, NULL},
                {49, NULL},
                {50, "100ms"},
                {149, "100ms"},
                {150, "200ms"},
                {449, "200ms"},
                {450, "500ms"},
                {949, "500ms"},
                {950, "1s"},
                {1000, "1s"},
                {29949, "20s"},
                {29950, "30s"},
                {30000, "30s"},
                {(msec)30 * MSEC_DAY - 51, "14d"},
                {(msec)30 * MSEC_DAY - 50, "30d"},
                {(msec)365 * MSEC_DAY, "30d"},
                {INT64_MAX, "30d"},
                {INT64_MIN, NULL},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                const struct delay_bucket *got = delay_bucket_for(rows[i].left);
                if (rows[i].want == NULL)
                        assert_null(got);
                else
                        assert_string_equal(got->name, rows[i].want);
        }
}

static void buckets_ascend_and_are_named_by_their_time(void **state)
{
        (void)state;
        for (int i = 0; i < DELAY_BUCKET_COUNT; i++) {
                struct err e = {0};
                msec ttl;
                assert_int_equal(duration_parse(delay_buckets[i].name, &ttl, &e), 0);
                assert_int_equal(ttl, delay_buckets[i].ttl);
                assert_true(i == 0 || delay_buckets[i - 1].ttl < ttl);
        }
}

static void rounding_goes_to_the_nearest_sum(void **state)
{
        static const struct {
                msec wait, want;
        } rows[] = {
                {INT64_MIN, 100},
                {-5, 100},
                {0, 100},
                {100, 100},
                {149, 100},
                {151, 200},
                {600, 600},
                {999, 1000},
                {1000, 1000},
                {1160, 1200},
                {3200, 3000},
                {9000, 10000},
                {40000, 40000},
                {50000, 50000},
                {600000, 600000},
                {(msec)60 * MSEC_DAY, (msec)60 * MSEC_DAY},
                {INT64_MAX, (msec)60 * MSEC_DAY},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                assert_int_equal(delay_round(rows[i].wait), rows[i].want);
}

/* Any sum of two buckets is waited for exactly, in at most two hops. */
static void a_rounded_wait_takes_at_most_two_hops(void **state)
{
        (void)state;
        for (int i = 0; i < DELAY_BUCKET_COUNT; i++) {
                for (int j = 0; j <= i; j++) {
                        msec left = delay_buckets[i].ttl + delay_buckets[j].ttl;
                        left -= delay_bucket_for(left)->ttl;
                        if (left > DELAY_HOLD_MAX)
                                left -= delay_bucket_for(left)->ttl;
                        assert_int_in_range(left + DELAY_SLACK, 0, DELAY_HOLD_MAX + DELAY_SLACK);
                }
        }
}

static void a_waiting_job_runs_is_held_or_hops(void **state)
{
        static const struct {
                msec run_at, now, hold;
                enum wait_step want;
                msec want_left;
                const char *want_bucket;
        } rows[] = {
                {0, 1000, 250, WAIT_RUN_NOW, 0, NULL},
                {1000, 1000, 250, WAIT_RUN_NOW, 0, NULL},
                {1001, 1000, 250, WAIT_HOLD, 1, NULL},
                {1250, 1000, 250, WAIT_HOLD, 250, NULL},
                {1251, 1000, 250, WAIT_HOP, 251, "200ms"},
                {2000, 1000, 1000, WAIT_HOLD, 1000, NULL},
                {2001, 1000, 1000, WAIT_HOP, 1001, "1s"},
                {31000, 1000, 1000, WAIT_HOP, 30000, "30s"},
                {INT64_MAX, -1, 1000, WAIT_HOP, INT64_MAX, "30d"},
                {INT64_MIN, 1, 250, WAIT_RUN_NOW, 0, NULL},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                const struct delay_bucket *bucket;
                msec left;
                assert_int_equal(
                        delay_step(rows[i].run_at, rows[i].now, rows[i].hold, &left, &bucket),
                        rows[i].want);
                assert_int_equal(left, rows[i].want_left);
                if (rows[i].want_bucket == NULL)
                        assert_null(bucket);
                else
                        assert_string_equal(bucket->name, rows[i].want_bucket);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_bucket_is_the_largest_that_fits),
                cmocka_unit_test(buckets_ascend_and_are_named_by_their_time),
                cmocka_unit_test(rounding_goes_to_the_nearest_sum),
                cmocka_unit_test(a_rounded_wait_takes_at_most_two_hops),
                cmocka_unit_test(a_waiting_job_runs_is_held_or_hops),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
