/* SPDX-License-Identifier: Apache-2.0
 *
 * senders_test.c: no record counts twice, and how old one is whatever its gateway's clock shows.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "gateway/senders.h"
#include "tests/unit/unit.h"

static struct admit_record *record;

static int begin(void **state)
{
        record = xcalloc(1, sizeof(*record));
        *state = senders_create();
        return 0;
}

static int end(void **state)
{
        struct senders *s = *state;

        senders_destroy(&s);
        free(record);
        return 0;
}

/* Its age; -1: it came before. */
static msec accept(struct senders *s, const char *gateway, int64_t n, msec at, msec now)
{
        msec age = 0;

        snprintf(record->gateway, sizeof(record->gateway), "%s", gateway);
        record->n = n;
        record->at = at;
        return senders_accept(s, record, now, true, &age) ? age : -1;
}

static void each_counts_once(void **state)
{
        struct senders *s = *state;

        assert_int_equal(accept(s, "a", 1, 100, 100), 0);
        assert_int_equal(accept(s, "a", 1, 100, 100), -1);
        assert_int_equal(accept(s, "b", 1, 100, 100), 0);
        assert_int_equal(accept(s, "a", 5, 100, 100), 0);
        assert_int_equal(accept(s, "a", 4, 100, 100), -1);
        assert_int_equal(accept(s, "a", 6, 100, 100), 0);
}

static void clocks_differ(void **state)
{
        struct senders *s = *state;
        static const struct {
                const char *gateway;
                msec behind;
        } rows[] = {{"same", 0}, {"behind", 3600000}, {"ahead", -3600000}};

        for (size_t i = 0; i < COUNT(rows); i++) {
                msec by = rows[i].behind;
                const char *name = rows[i].gateway;
                assert_int_equal(accept(s, name, 1, 10000000 - by, 10000000), 0);
                assert_int_equal(accept(s, name, 2, 10001000 - by, 10001004), 4);
                /* A record that was delayed by 10 minutes is so old, nearly. */
                assert_int_in_range(accept(s, name, 3, 10002000 - by, 10602000), 590000, 600000);
                assert_int_equal(accept(s, name, 4, 10603000 - by, 10603000), 0);
                /* The clock is set back by an hour: after some records its time counts again. */
                for (int n = 5; n < 1200; n++)
                        (void)accept(s, name, n, 7000000 - by, 10600000);
                assert_int_in_range(accept(s, name, 1200, 7000000 - by, 10600000), 0, 100);
        }
}

/* Records of before the start do not come as they are published. */
static void old_records_have_their_time(void **state)
{
        struct senders *s = *state;
        msec age = 0;

        snprintf(record->gateway, sizeof(record->gateway), "old");
        record->n = 1;
        record->at = 1000;
        assert_true(senders_accept(s, record, 61000, false, &age));
        assert_int_equal(age, 60000);
        record->n = 2;
        record->at = (int64_t)1 << 53;
        assert_true(senders_accept(s, record, 61000, false, &age));
        assert_int_equal(age, 0);
}

static void the_number_of_gateways_is_bounded(void **state)
{
        struct senders *s = *state;
        char name[16];

        for (int i = 0; i < SENDERS_MAX + 10; i++) {
                snprintf(name, sizeof(name), "g%d", i);
                assert_int_equal(accept(s, name, 1, 1, 1), 0);
        }
        assert_int_equal(accept(s, "g20", 1, 1, 1), -1);
        assert_int_equal(accept(s, "g0", 1, 1, 1), 0); /* forgotten */
}

/* However many come and go meanwhile. */
static void one_that_goes_on_is_not_forgotten(void **state)
{
        struct senders *s = *state;
        char name[16];

        assert_int_equal(accept(s, "old", 1, 1, 1), 0);
        for (int i = 0; i < 2 * SENDERS_MAX; i++) {
                snprintf(name, sizeof(name), "g%d", i);
                assert_int_equal(accept(s, name, 1, 1, 1), 0);
                assert_int_equal(accept(s, "old", i + 1, 1, 1), -1); /* published again */
                assert_int_equal(accept(s, "old", i + 2, 1, 1), 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(each_counts_once, begin, end),
                cmocka_unit_test_setup_teardown(clocks_differ, begin, end),
                cmocka_unit_test_setup_teardown(old_records_have_their_time, begin, end),
                cmocka_unit_test_setup_teardown(the_number_of_gateways_is_bounded, begin, end),
                cmocka_unit_test_setup_teardown(one_that_goes_on_is_not_forgotten, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
