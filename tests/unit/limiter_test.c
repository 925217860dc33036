/* SPDX-License-Identifier: Apache-2.0
 *
 * limiter_test.c: token buckets, what other gateways took from them, and the texts about limits.
 */
#include <stdio.h>

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

struct passed {
        int count;
        char tenant[TENANT_SIZE];
        int64_t value, sum;
};

static void on_passed(void *owner, const char *tenant, int64_t value)
{
        struct passed *p = owner;

        p->count++;
        snprintf(p->tenant, sizeof(p->tenant), "%s", tenant);
        p->value = value;
        p->sum += value;
}

static struct allowance look(struct limiter *l, const struct tenant_record *t, msec now)
{
        return limiter_take(l, t, now, BUCKET_LOOK);
}

/* All of them, `most` at a time; returns the number of packs. */
static int levels(struct limiter *l, msec now, size_t most, struct passed *p)
{
        char last[TENANT_SIZE] = "";
        const struct limiter_pack pack = {.most = most, .last = last};
        int packs = 1;

        while (limiter_levels(l, now, &pack, on_passed, p))
                packs++;
        return packs;
}

/* What others admitted counts from when they did; more than a bucket holds is owed. */
static void test_others_are_charged(void **state)
{
        (void)state;
        static const struct tenant_record unlimited = {.name = "a", .rate_count = RECORD_UNLIMITED};
        AUTO(limiter) l = limiter_create();

        limiter_charge(l, &ten_a_minute, 4, 100000);
        assert_int_equal(look(l, &ten_a_minute, 100000).remaining, 6);
        assert_int_equal(look(l, &ten_a_minute, 100000).reset, 24000);
        limiter_charge(l, &ten_a_minute, -1, 100000);
        assert_int_equal(look(l, &ten_a_minute, 100000).remaining, 7);
        /* Told late, to a bucket that was not full meanwhile: each is owed. */
        limiter_charge(l, &ten_a_minute, 2, 90000);
        assert_int_equal(look(l, &ten_a_minute, 100000).remaining, 5);
        /* So long ago that all has refilled, also before the monotonic clock began. */
        limiter_forget(l, "a");
        limiter_charge(l, &ten_a_minute, 10, -90000);
        assert_int_equal(look(l, &ten_a_minute, 100000).remaining, 10);
        /* Debt: 12 of 10 gives a token after three. */
        limiter_charge(l, &ten_a_minute, 12, 100000);
        struct allowance a = limiter_take(l, &ten_a_minute, 100000, BUCKET_TAKE);
        assert_false(a.granted);
        assert_int_equal(a.remaining, 0);
        assert_int_equal(a.reset, 72000);
        assert_int_equal(a.retry, 18000);
        assert_true(limiter_take(l, &ten_a_minute, 118000, BUCKET_TAKE).granted);
        /* Its bound: two bursts and 2 s. */
        limiter_charge(l, &ten_a_minute, 1000000, 118000);
        assert_int_equal(look(l, &ten_a_minute, 118000).reset, 3 * 60000 + 2000);
        limiter_charge(l, &unlimited, 1000000, 118000);
        assert_int_equal(look(l, &ten_a_minute, 118000).reset, 3 * 60000 + 2000);
}

static void test_levels_of_others(void **state)
{
        (void)state;
        static const struct tenant_record ten_a_second = {
                .name = "a", .rate_count = 10, .rate_per = 1000, .burst = 20};
        AUTO(limiter) l = limiter_create();

        limiter_raise(l, &ten_a_minute, 30000, 1000);
        assert_int_equal(look(l, &ten_a_minute, 1000).remaining, 5);
        assert_int_equal(look(l, &ten_a_minute, 13000).remaining, 7);
        limiter_raise(l, &ten_a_minute, 6000, 13000); /* knew less */
        assert_int_equal(look(l, &ten_a_minute, 13000).remaining, 7);
        limiter_raise(l, &ten_a_minute, INT64_C(1) << 53, 13000);
        assert_int_equal(look(l, &ten_a_minute, 13000).reset, 3 * 60000 + 2000);

        /* A changed record ends the debt, and what is told is in its time. */
        struct passed p = {0};
        limiter_update(l, &ten_a_second, 13000);
        levels(l, 13000, 99, &p);
        assert_int_equal(p.value, 2000);
        limiter_update(l, &(struct tenant_record){.name = "nobody", .rate_count = 1}, 13000);
        levels(l, 13000, 99, &p);
        assert_int_equal(p.count, 2);
}

/* The mutex is held for a pack. */
static void test_levels_in_packs(void **state)
{
        (void)state;
        struct tenant_record t = {.rate_count = 10, .rate_per = 60000, .burst = 10};
        AUTO(limiter) l = limiter_create();
        struct passed p = {0};

        assert_int_equal(levels(l, 1000, 4, &p), 1);
        for (int i = 0; i < 10; i++) {
                snprintf(t.name, sizeof(t.name), "t%d", i);
                (void)limiter_take(l, &t, 1000, BUCKET_TAKE);
                if (i % 5 != 0) /* else nothing was told of it yet */
                        limiter_raise(l, &t, 30000, 1000);
        }
        assert_int_equal(levels(l, 1000, 4, &p), 3);
        assert_int_equal(p.count, 8);
        assert_string_equal(p.tenant, "t9");
        assert_int_equal(levels(l, 1000, 5, &p), 2);
        assert_int_equal(p.count, 16);
        /* The last one of a pack is deleted before the next. */
        char last[TENANT_SIZE] = "t3";
        limiter_forget(l, "t3");
        assert_false(limiter_levels(l, 1000, &(struct limiter_pack){4, last}, on_passed, &p));
        assert_int_equal(p.count, 16);
}

static int takes(struct limiter *l, const struct tenant_record *t, msec now)
{
        int granted = 0;

        while (limiter_take(l, t, now, BUCKET_TAKE).granted)
                granted++;
        return granted;
}

/* Whatever others tell, a gateway admits no more than rate and burst by itself. */
static void test_others_give_back_only_theirs(void **state)
{
        (void)state;
        AUTO(limiter) l = limiter_create();

        assert_int_equal(takes(l, &ten_a_minute, 1000), 10);
        for (int i = 0; i < 100; i++)
                limiter_charge(l, &ten_a_minute, -1000000000, 1000);
        assert_int_equal(takes(l, &ten_a_minute, 1000), 0);
        assert_int_equal(takes(l, &ten_a_minute, 13000), 2);
        limiter_charge(l, &ten_a_minute, 5, 13000);
        assert_int_equal(takes(l, &ten_a_minute, 19000), 0);
        limiter_charge(l, &ten_a_minute, -5, 19000);
        assert_int_equal(takes(l, &ten_a_minute, 19000), 1);
}

/* A submission is refused by the broker after its tenant's record has changed. */
static void test_given_back_after_a_change(void **state)
{
        (void)state;
        static const struct tenant_record unlimited = {.name = "a", .rate_count = RECORD_UNLIMITED};
        static const struct tenant_record two_a_minute = {
                .name = "a", .rate_count = 2, .rate_per = 60000, .burst = 2};
        AUTO(limiter) l = limiter_create();
        struct passed p = {0};

        /* Unlimited, and limited again: what is given back was taken. */
        assert_int_equal(takes(l, &ten_a_minute, 1000), 10);
        limiter_update(l, &unlimited, 1000);
        for (int i = 0; i < 3; i++)
                limiter_return(l, "a");
        assert_int_not_equal(limiter_collect(l, 9, on_passed, &p), 0);
        assert_int_equal(p.sum, 7);
        limiter_update(l, &ten_a_minute, 1000);
        assert_int_equal(takes(l, &ten_a_minute, 1000), 3);
        /* A smaller bucket: all ten are given back, it holds two. */
        limiter_update(l, &two_a_minute, 1000);
        for (int i = 0; i < 10; i++)
                limiter_return(l, "a");
        assert_int_equal(look(l, &two_a_minute, 1000).reset, 0);
        assert_int_equal(takes(l, &two_a_minute, 1000), 2);
        /* A larger one: a token stays a token. */
        limiter_update(l, &ten_a_minute, 1000);
        assert_int_equal(look(l, &ten_a_minute, 1000).remaining, 8);
        limiter_return(l, "a");
        assert_int_equal(look(l, &ten_a_minute, 1000).remaining, 9);
        /* Deleted and made again: the new bucket has nothing to give back, and holds no more. */
        limiter_forget(l, "a");
        (void)look(l, &ten_a_minute, 1000);
        for (int i = 0; i < 5; i++)
                limiter_return(l, "a");
        assert_int_equal(takes(l, &ten_a_minute, 1000), 10);
}

static void test_what_is_told(void **state)
{
        (void)state;
        static const struct tenant_record other = {
                .name = "b", .rate_count = 1, .rate_per = 1000, .burst = 5};
        AUTO(limiter) l = limiter_create();
        struct passed p = {0};

        assert_int_equal(limiter_collect(l, 9, on_passed, &p), 0);
        (void)limiter_take(l, &ten_a_minute, 500, BUCKET_TAKE);
        (void)limiter_take(l, &ten_a_minute, 510, BUCKET_TAKE);
        (void)limiter_take(l, &ten_a_minute, 510, BUCKET_LOOK);
        limiter_charge(l, &ten_a_minute, 3, 510); /* is not told again */
        /* A level holds only what was told. */
        levels(l, 510, 99, &p);
        assert_int_equal(p.count, 1);
        assert_int_equal(p.value, 18000 - 10);
        p = (struct passed){0};
        assert_int_equal(limiter_collect(l, 9, on_passed, &p), 500);
        assert_int_equal(p.count, 1);
        assert_string_equal(p.tenant, "a");
        assert_int_equal(p.value, 2);
        assert_int_equal(limiter_collect(l, 9, on_passed, &p), 0);
        p = (struct passed){0};
        levels(l, 510, 99, &p);
        assert_int_equal(p.value, 30000 - 10);
        levels(l, 60000, 99, &p);
        assert_int_equal(p.count, 1);

        /* Given back before it was told: nothing; after: less than nothing. */
        p = (struct passed){0};
        (void)limiter_take(l, &other, 600, BUCKET_TAKE);
        limiter_return(l, "b");
        assert_int_equal(limiter_collect(l, 9, on_passed, &p), 0);
        limiter_return(l, "a");
        assert_int_not_equal(limiter_collect(l, 9, on_passed, &p), 0);
        assert_int_equal(p.value, -1);
        /* In parts; a forgotten bucket has nothing to tell. */
        (void)limiter_take(l, &other, 700, BUCKET_TAKE);
        (void)limiter_take(l, &ten_a_minute, 60000, BUCKET_TAKE);
        p = (struct passed){0};
        assert_int_equal(limiter_collect(l, 1, on_passed, &p), 700);
        assert_int_equal(p.count, 1);
        assert_int_equal(limiter_collect(l, 1, on_passed, &p), 700);
        assert_int_equal(p.sum, 2);
        (void)limiter_take(l, &other, 800, BUCKET_TAKE);
        limiter_forget(l, "b");
        assert_int_equal(limiter_collect(l, 1, on_passed, &p), 0);
}

/* Three gateways that tell each other every 50 ms admit the rate together, and the burst once. */
static void test_three_share_a_rate(void **state)
{
        (void)state;
        static const struct {
                struct tenant_record t;
                int most; /* above rate and burst: what three do not know of each other for 50 ms */
        } rows[] = {
                {{.name = "a", .rate_count = 100, .rate_per = 60000, .burst = 10}, 2},
                {{.name = "a", .rate_count = 1000, .rate_per = 1000, .burst = 10}, 120},
                {{.name = "a", .rate_count = 10, .rate_per = 60000, .burst = 10}, 20},
        };

        for (size_t row = 0; row < COUNT(rows); row++) {
                const struct tenant_record *t = &rows[row].t;
                struct limiter *all[3] = {limiter_create(), limiter_create(), limiter_create()};
                int granted = 0;
                for (msec now = 1; now <= 600000; now++) {
                        for (int i = 0; i < 3; i++)
                                granted += limiter_take(all[i], t, now, BUCKET_TAKE).granted;
                        for (int i = 0; now % 50 == 0 && i < 3; i++) {
                                struct passed p = {0};
                                msec at = limiter_collect(all[i], 9, on_passed, &p);
                                for (int other = 0; other < 3 && at != 0; other++)
                                        if (other != i)
                                                limiter_charge(all[other], t, p.sum, at);
                        }
                }
                int64_t exact = t->burst + 600000 * t->rate_count / t->rate_per;
                assert_int_in_range(granted, exact - 2, exact + rows[row].most);
                for (int i = 0; i < 3; i++)
                        limiter_destroy(&all[i]);
        }
}

/* A record of a longer period than is accepted now. */
static void test_long_periods(void **state)
{
        (void)state;
        static const struct tenant_record t = {
                .name = "a", .rate_count = 1, .rate_per = 10000 * (msec)MSEC_DAY, .burst = 1000000};
        AUTO(limiter) l = limiter_create();

        limiter_charge(l, &t, 1000000, 1);
        struct allowance a = look(l, &t, 1);
        assert_false(a.granted);
        assert_true(a.retry == t.rate_per);
        assert_true(a.reset == t.rate_per * 1000000);
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
                cmocka_unit_test(test_others_are_charged),
                cmocka_unit_test(test_levels_of_others),
                cmocka_unit_test(test_levels_in_packs),
                cmocka_unit_test(test_others_give_back_only_theirs),
                cmocka_unit_test(test_given_back_after_a_change),
                cmocka_unit_test(test_what_is_told),
                cmocka_unit_test(test_three_share_a_rate),
                cmocka_unit_test(test_long_periods),
                cmocka_unit_test(test_texts),
                cmocka_unit_test(test_tenants_are_apart),
        };
        return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
