/* SPDX-License-Identifier: Apache-2.0
 *
 * hops_test.c: how long a job is sent away, and what is read about which consumers handle it.
 */
#include <stdio.h>
#include <string.h>

#include "common/model/delay.h"
#include "consumer/elsewhere.h"
#include "consumer/hops.h"
#include "tests/unit/unit.h"

#define NOW ((msec)1732250000000)

static double no_chance(void)
{
        return 0;
}

static double great_chance(void)
{
        return 0.999;
}

static void up_to_half_is_taken_off_at_random(void **state)
{
        struct hops *h = hops_create(great_chance);

        (void)state;
        /* from 2501, rounded to a bucket, and the one below */
        assert_int_equal(hops_wait(h, "a", HOP_ELSEWHERE, MSEC_HOUR, 7), 1000);
        assert_int_equal(hops_wait(h, "b", HOP_ELSEWHERE, 0, 7), 200); /* the shortest wait */
        assert_int_equal(hops_wait(h, "c", HOP_PAUSED, 0, 7), 10000);
        hops_destroy(&h);
}

static void a_few_are_away_for_as_long_as_wanted(void **state)
{
        static const struct {
                enum hop_why why;
                msec wanted, want;
        } table[] = {
                {HOP_PAUSED, 0, 10000},           {HOP_PAUSED, MSEC_DAY, 10000},
                {HOP_ELSEWHERE, 0, 200},          {HOP_ELSEWHERE, 1200, 1000},
                {HOP_ELSEWHERE, MSEC_HOUR, 5000}, {HOP_UNKNOWN, 0, 200},
                {HOP_UNKNOWN, MSEC_HOUR, 30000},  {HOP_UNHANDLED, 0, 1000},
                {HOP_UNHANDLED, 45000, 30000},    {HOP_UNHANDLED, INT64_MAX, MSEC_MINUTE},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct hops *h = hops_create(no_chance);
                assert_int_equal(hops_wait(h, "echo", table[i].why, table[i].wanted, 7),
                                 table[i].want);
                hops_destroy(&h);
        }
}

/* 100 000 jobs of a paused type. Each hop is a message in the stream, so hops must be long. */
static void the_more_are_away_the_longer_they_are(void **state)
{
        struct hops *h = hops_create(no_chance);
        double a_second = 0;

        (void)state;
        for (int i = 0; i < 100000; i++)
                a_second += 1000.0 / (double)hops_wait(h, "echo", HOP_PAUSED, 0, i / 10);
        assert_true(a_second < 200);
        assert_int_equal(hops_wait(h, "echo", HOP_PAUSED, 0, 10000), HOPS_LONGEST);
        /* each type has its own count */
        assert_int_equal(hops_wait(h, "other", HOP_PAUSED, 0, 10000), 10000);
        hops_destroy(&h);
}

static void types_are_remembered_within_a_bound(void **state)
{
        struct hops *h = hops_create(no_chance);
        char type[JOB_TYPE_SIZE];

        (void)state;
        for (int i = 0; i < 3 * HOPS_TYPES_MAX; i++) {
                snprintf(type, sizeof(type), "t%d", i);
                assert_int_equal(hops_wait(h, type, HOP_UNHANDLED, 0, i * 100), MSEC_SECOND);
        }
        hops_destroy(&h);
}

static void the_last_hop_is_what_its_message_says(void **state)
{
        static const struct {
                struct job job;
                msec want;
        } table[] = {
                {{.hop = true, .queued_at = NOW, .due_at = NOW + 5000}, 5000},
                {{.hop = false, .queued_at = NOW, .due_at = NOW + 5000}, 0},
                {{.hop = true, .queued_at = NOW, .due_at = NOW - 5000}, 0},
                {{.hop = true}, 0},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                assert_int_equal(hops_last(&table[i].job), table[i].want);
}

static void answers_are_read(void **state)
{
        static const struct {
                const char *body;
                enum err_code want;
        } table[] = {
                {"{\"types\":[{\"type\":\"a\",\"workers\":2},{\"type\":\"b\",\"workers\":0}],"
                 "\"lag_ms\":300}",
                 ERR_NONE},
                {"{\"types\":[{\"type\":\"a\",\"workers\":2},{\"type\":\"b\",\"workers\":0}],"
                 "\"lag_ms\":30000}",
                 ERR_UNAVAILABLE},
                {"{\"types\":[{\"type\":\"a\",\"workers\":2},{\"type\":\"b\",\"workers\":0}]}",
                 ERR_PROTOCOL},
                {"{\"types\":[{\"type\":\"a\",\"workers\":2}],\"lag_ms\":0}", ERR_PROTOCOL},
                {"{\"types\":[{\"type\":\"a\",\"workers\":2},{}],\"lag_ms\":0}", ERR_PROTOCOL},
                {"[]", ERR_PROTOCOL},
                {"", ERR_PROTOCOL},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                bool handled[2] = {false, true};
                struct err e = {0};
                int failed = elsewhere_parse(bytes_of_text(table[i].body), handled, 2, &e);
                assert_int_equal(e.code, table[i].want);
                assert_int_equal(failed, table[i].want == ERR_NONE ? 0 : -1);
                if (failed == 0)
                        assert_true(handled[0] && !handled[1]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_few_are_away_for_as_long_as_wanted),
                cmocka_unit_test(up_to_half_is_taken_off_at_random),
                cmocka_unit_test(the_more_are_away_the_longer_they_are),
                cmocka_unit_test(types_are_remembered_within_a_bound),
                cmocka_unit_test(the_last_hop_is_what_its_message_says),
                cmocka_unit_test(answers_are_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
