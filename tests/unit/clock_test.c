/* SPDX-License-Identifier: Apache-2.0
 *
 * clock_test.c: times and durations, to text and back.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "common/base/clock.h"

static void test_clocks_move(void **state)
{
        (void)state;
        assert_true(clock_wall() > INT64_C(1700000000000));
        int64_t us = clock_mono_us();
        assert_true(clock_mono() >= us / 1000);
        assert_true(clock_boot() >= us / 1000); /* it counts suspended time too */
}

static void test_time_format(void **state)
{
        static const struct {
                msec at;
                const char *want;
        } table[] = {
                {0, "1970-01-01T00:00:00.000Z"},
                {-1, "1969-12-31T23:59:59.999Z"},
                {INT64_C(1767225630000), "2026-01-01T00:00:30.000Z"},
                {INT64_C(951782400123), "2000-02-29T00:00:00.123Z"},
                {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
                {INT64_MAX, "9999-12-31T23:59:59.999Z"},
                {INT64_MIN, "0000-01-01T00:00:00.000Z"},
        };
        char out[TIME_TEXT_SIZE];

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                assert_string_equal(time_format(table[i].at, out), table[i].want);
}

static void test_time_parse(void **state)
{
        static const struct {
                const char *text;
                msec want; /* -1: refused */
        } table[] = {
                {"1970-01-01T00:00:00Z", 0},
                {"1970-01-01t00:00:00.5z", 500},
                {"1970-01-01T00:00:00.123456789Z", 124},
                {"1970-01-01T00:00:00.000000001Z", 1},
                {"1970-01-01T00:00:00.999000001Z", 1000},
                {"1970-01-01T00:00:00.1234567890Z", -1},
                {"1970-01-01T01:00:00+01:00", 0},
                {"1969-12-31T19:00:00-05:00", 0},
                {"2000-02-29T00:00:00.123Z", INT64_C(951782400123)},
                {"1900-02-29T00:00:00Z", -1},
                {"2025-02-29T00:00:00Z", -1},
                {"1990-12-31T23:59:60Z", INT64_C(662688000000)},
                {"1990-12-31T23:59:61Z", -1},
                {"2026-01-01T24:00:00Z", -1},
                {"2026-01-01T00:60:00Z", -1},
                {"2026-13-01T00:00:00Z", -1},
                {"2026-00-01T00:00:00Z", -1},
                {"2026-04-31T00:00:00Z", -1},
                {"2026-01-00T00:00:00Z", -1},
                {"2026-01-01T00:00:00", -1},
                {"2026-01-01T00:00:00.Z", -1},
                {"2026-01-01 00:00:00Z", -1},
                {"2026-01-01T00:00:00Z ", -1},
                {"2026-01-01T00:00:00+24:00", -1},
                {"2026-01-01T00:00:00+0100", -1},
                {"2026-1-1T00:00:00Z", -1},
                {"+2026-01-01T00:00:00Z", -1},
                {"tomorrow", -1},
                {"", -1},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct err e = {0};
                msec at = 0;
                int got = time_parse(table[i].text, &at, &e);
                assert_int_equal(got, table[i].want < 0 ? -1 : 0);
                if (got == 0)
                        assert_int_equal(at, table[i].want);
                else
                        assert_int_equal(e.code, ERR_INVALID);
        }
}

static void test_a_bound_is_never_0(void **state)
{
        static const struct {
                const char *text;
                msec want;
        } table[] = {
                {"0001-01-01T00:00:00Z", 1},
                {"1970-01-01T00:00:00Z", 1},
                {"1970-01-01T00:00:00.002Z", 2},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct err e = {0};
                msec at = 0;
                assert_int_equal(time_parse_bound(table[i].text, &at, &e), 0);
                assert_int_equal(at, table[i].want);
        }
}

static void test_time_round_trip(void **state)
{
        char out[TIME_TEXT_SIZE];

        (void)state;
        for (msec at = INT64_C(-62167219200000); at < INT64_C(253402300799999);
             at += INT64_C(97654321987)) {
                msec back = 0;
                assert_int_equal(time_parse(time_format(at, out), &back, NULL), 0);
                assert_int_equal(back, at);
        }
}

static void test_duration_parse(void **state)
{
        static const struct {
                const char *text;
                msec want; /* -1: refused */
        } table[] = {
                {"0", 0},
                {"30", 30000},
                {"1.5", 1500},
                {"250ms", 250},
                {"0.9ms", 1},
                {"1.5s", 1500},
                {"10m", 600000},
                {"1.5m", 90000},
                {"2h", 7200000},
                {"2d", 172800000},
                {"1h30m", 5400000},
                {"1d2h3m4s5ms", 93784005},
                {"2m1.5s", 121500},
                {"0h0m0s", 0},
                {"1d1.5h", 91800000},
                {"9999d24h", INT64_C(864000000000)},
                {"9999d24h1ms", -1},
                {"30m1h", -1},
                {"1h1h", -1},
                {"1h30", -1},
                {"1.5h30m", -1},
                {"1h 30m", -1},
                {"1h-30m", -1},
                {"h30m", -1},
                {"30s5x", -1},
                {"1hm", -1},
                {"0.000000001d", 1},
                {"0.0000000001d", -1},
                {"10000d", INT64_C(864000000000)},
                {"10000.000001d", -1},
                {"10001d", -1},
                {"864000000000ms", INT64_C(864000000000)},
                {"864000000001ms", -1},
                {"99999999999999999999999", -1},
                {"-1s", -1},
                {"+1s", -1},
                {"1 s", -1},
                {" 1s", -1},
                {"1.s", -1},
                {".5s", -1},
                {"1e3", -1},
                {"5w", -1},
                {"s", -1},
                {"1S", -1},
                {"", -1},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct err e = {0};
                msec out = 0;
                int got = duration_parse(table[i].text, &out, &e);
                assert_int_equal(got, table[i].want < 0 ? -1 : 0);
                if (got == 0)
                        assert_int_equal(out, table[i].want);
                if (got == 0)
                        continue;
                assert_int_equal(e.code, ERR_INVALID);
                assert_non_null(strstr(e.text, "d, h, m, s or ms"));
        }
}

static void test_duration_format(void **state)
{
        static const struct {
                msec duration;
                const char *want;
        } table[] = {
                {0, "0s"},
                {1, "1ms"},
                {100, "100ms"},
                {1500, "1.5s"},
                {90000, "90s"},
                {600000, "10m"},
                {5400000, "90m"},
                {7200000, "2h"},
                {43200000, "12h"},
                {86400000, "1d"},
                {129600000, "36h"},
                {1001, "1001ms"},
                {3600010, "3600.01s"},
                {604800000, "7d"},
                {-5, "-5ms"},
        };
        char out[TIME_TEXT_SIZE];

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                assert_string_equal(duration_format(table[i].duration, out), table[i].want);
}

static void test_duration_round_trip(void **state)
{
        char out[TIME_TEXT_SIZE];

        (void)state;
        for (msec d = 0; d <= INT64_C(864000000000); d = d * 3 / 2 + 1) {
                msec back = -1;
                assert_int_equal(duration_parse(duration_format(d, out), &back, NULL), 0);
                assert_int_equal(back, d);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_clocks_move),
                cmocka_unit_test(test_time_format),
                cmocka_unit_test(test_a_bound_is_never_0),
                cmocka_unit_test(test_time_parse),
                cmocka_unit_test(test_time_round_trip),
                cmocka_unit_test(test_duration_parse),
                cmocka_unit_test(test_duration_format),
                cmocka_unit_test(test_duration_round_trip),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
