/* SPDX-License-Identifier: Apache-2.0
 *
 * limiter_test.c: token buckets, and the texts about limits.
 */
#include "common/base/own.h"
#include "gateway/limiter.h"
#include "tests/unit/unit.h"

static const struct tenant_record ten_a_minute = {
        .name = "a", .rate_count = 10, .rate_per = 60000, .burst = 10};

static void test_bucket(void **state)
{
        (void)state;
        static const struct {
                msec now;
                enum bucket_want want;
                bool granted;
                int64_t remaining;
                msec reset, retry;
        } steps[] = {
                {1000, BUCKET_LOOK, true, 10, 0, 0},
                {1000, BUCKET_TAKE, true, 9, 6000, 0},
                {1000, BUCKET_TAKE, true, 8, 12000, 0},
                {4000, BUCKET_TAKE, true, 7, 15000, 0},
                {4000, BUCKET_TAKE, true, 6, 21000, 0},
                {4000, BUCKET_TAKE, true, 5, 27000, 0},
                {4000, BUCKET_TAKE, true, 4, 33000, 0},
                {4000, BUCKET_TAKE, true, 3, 39000, 0},
                {4000, BUCKET_TAKE, true, 2, 45000, 0},
                {4000, BUCKET_TAKE, true, 1, 51000, 0},
                {4000, BUCKET_TAKE, true, 0, 57000, 3000},
                {4000, BUCKET_TAKE, false, 0, 57000, 3000},
                {6999, BUCKET_TAKE, false, 0, 54001, 1},
                {7000, BUCKET_TAKE, true, 0, 60000, 6000},
                {7000, BUCKET_LOOK, false, 0, 60000, 6000},
                {1000000, BUCKET_TAKE, true, 9, 6000, 0},
        };
        AUTO(limiter) l = limiter_create();

        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
                struct allowance a = limiter_take(l, &ten_a_minute, steps[i].now, steps[i].want);
                assert_true(a.limited);
                assert_int_equal(a.granted, steps[i].granted);
                assert_int_equal(a.remaining, steps[i].remaining);
                assert_int_equal(a.reset, steps[i].reset);
                assert_int_equal(a.retry, steps[i].retry);
        }
}

static void test_edges(void **state)
{
        (void)state;
        static const struct tenant_record unlimited = {.name = "a", .rate_count = RECORD_UNLIMITED};
        static const struct tenant_record none = {
                .name = "a", .rate_count = 0, .rate_per = 1000, .burst = 5};
        static const struct tenant_record small_burst = {
                .name = "a", .rate_count = 100, .rate_per = 1000, .burst = 1};
        static const struct tenant_record large_burst = {
                .name = "a", .rate_count = 100, .rate_per = 1000, .burst = 10};
        AUTO(limiter) l = limiter_create();

        struct allowance a = limiter_take(l, &unlimited, 1, BUCKET_TAKE);
        assert_true(a.granted);
        assert_false(a.limited);
        a = limiter_take(l, &none, 1, BUCKET_TAKE);
        assert_true(a.limited);
        assert_false(a.granted);
        assert_true(a.retry > 0);

        assert_true(limiter_take(l, &small_burst, 10, BUCKET_TAKE).granted);
        assert_false(limiter_take(l, &small_burst, 15, BUCKET_TAKE).granted);
        assert_true(limiter_take(l, &small_burst, 20, BUCKET_TAKE).granted);
        limiter_return(l, "a");
        assert_true(limiter_take(l, &small_burst, 20, BUCKET_TAKE).granted);
        limiter_return(l, "a");
        limiter_return(l, "a");
        a = limiter_take(l, &small_burst, 20, BUCKET_LOOK);
        assert_int_equal(a.remaining, 1);
        assert_int_equal(a.reset, 0);
        /* Reducing the burst leaves no debt. */
        limiter_forget(l, "a");
        for (int i = 0; i < 10; i++)
                assert_true(limiter_take(l, &large_burst, 1, BUCKET_TAKE).granted);
        assert_false(limiter_take(l, &small_burst, 1, BUCKET_TAKE).granted);
        assert_true(limiter_take(l, &small_burst, 11, BUCKET_TAKE).granted);
}

/* Over a long time the granted number is the rate, plus the burst once. */
static void test_exact_in_the_long_run(void **state)
{
        (void)state;
        static const struct tenant_record rate = {
                .name = "a", .rate_count = 7, .rate_per = 1000, .burst = 3};
        AUTO(limiter) l = limiter_create();
        int granted = 0;

        for (msec now = 1; now <= 1000000; now += 13)
                granted += limiter_take(l, &rate, now, BUCKET_TAKE).granted ? 1 : 0;
        assert_int_in_range(granted, 7000, 7003);
}

static void test_texts(void **state)
{
        (void)state;
        char text[LIMIT_TEXT_SIZE];
        AUTO(limiter) l = limiter_create();

        limit_policy_text(&ten_a_minute, text);
        assert_string_equal(text, "\"tenant\";q=10;w=60");
        struct allowance a = limiter_take(l, &ten_a_minute, 5, BUCKET_TAKE);
        allowance_text(&a, text);
        assert_string_equal(text, "\"tenant\";r=9;t=6");
        limit_policy_text(&(struct tenant_record){.rate_count = 5, .rate_per = 100, .burst = 1},
                          text);
        assert_string_equal(text, "\"tenant\";q=5;w=1");
}

static void test_tenants_are_apart(void **state)
{
        (void)state;
        static const struct tenant_record a = {
                .name = "a", .rate_count = 1, .rate_per = 60000, .burst = 1};
        static const struct tenant_record b = {
                .name = "b", .rate_count = 1, .rate_per = 60000, .burst = 1};
        AUTO(limiter) l = limiter_create();

        assert_true(limiter_take(l, &a, 1, BUCKET_TAKE).granted);
        assert_false(limiter_take(l, &a, 2, BUCKET_TAKE).granted);
        assert_true(limiter_take(l, &b, 2, BUCKET_TAKE).granted);
        limiter_return(l, "a");
        limiter_return(l, "nobody");
        assert_true(limiter_take(l, &a, 3, BUCKET_TAKE).granted);
        limiter_forget(l, "a");
        limiter_forget(l, "nobody");
        assert_true(limiter_take(l, &a, 4, BUCKET_TAKE).granted);
        limiter_destroy(&l);
        assert_null(l);
        limiter_destroy(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bucket),
                cmocka_unit_test(test_edges),
                cmocka_unit_test(test_exact_in_the_long_run),
                cmocka_unit_test(test_texts),
                cmocka_unit_test(test_tenants_are_apart),
        };
        return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
