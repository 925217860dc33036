/* SPDX-License-Identifier: Apache-2.0
 *
 * logins_test.c: how long an address waits after failed logins.
 */
#include "gateway/logins.h"

#include <stdio.h>

#include "tests/unit/unit.h"

#define BEGIN ((msec)1000000)

static int open_logins(void **state)
{
        *state = logins_create();
        return 0;
}

static int close_logins(void **state)
{
        struct logins *l = *state;
        logins_destroy(&l);
        return 0;
}

static void each_failure_doubles_the_wait(void **state)
{
        static const msec waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
        struct logins *l = *state;
        msec now = BEGIN;
        for (int i = 0; i <= LOGINS_FREE; i++)
                assert_int_equal(logins_try(l, "10.0.0.7", now), 0);
        for (size_t i = 0; i < COUNT(waits); i++) {
                assert_int_equal(logins_try(l, "10.0.0.7", now), waits[i]);
                assert_int_equal(logins_try(l, "10.0.0.7", now + waits[i] - 1), 1);
                now += waits[i];
                assert_int_equal(logins_try(l, "10.0.0.7", now), 0);
        }
}

static void other_addresses_do_not_wait(void **state)
{
        struct logins *l = *state;
        for (int i = 0; i <= LOGINS_FREE; i++)
                assert_int_equal(logins_try(l, "10.0.0.7", BEGIN), 0);
        assert_int_equal(logins_try(l, "10.0.0.8", BEGIN), 0);
        assert_true(logins_try(l, "10.0.0.7", BEGIN) > 0);
}

static void a_success_ends_it(void **state)
{
        struct logins *l = *state;
        for (int round = 0; round < 5; round++) {
                for (int i = 0; i <= LOGINS_FREE; i++)
                        assert_int_equal(logins_try(l, "10.0.0.7", BEGIN), 0);
                logins_succeeded(l, "10.0.0.7");
        }
        logins_succeeded(l, "10.0.0.9");
}

static void it_is_forgotten_after_a_quarter_of_an_hour(void **state)
{
        struct logins *l = *state;
        const msec later = BEGIN + 15 * MSEC_MINUTE;
        for (int i = 0; i <= LOGINS_FREE; i++)
                assert_int_equal(logins_try(l, "10.0.0.7", BEGIN), 0);
        for (int i = 0; i <= LOGINS_FREE; i++)
                assert_int_equal(logins_try(l, "10.0.0.7", later), 0);
        assert_int_equal(logins_try(l, "10.0.0.7", later), 1000);
}

static void the_oldest_leaves_a_full_table(void **state)
{
        struct logins *l = *state;
        for (int i = 0; i <= LOGINS_FREE; i++) {
                assert_int_equal(logins_try(l, "first", BEGIN), 0);
                assert_int_equal(logins_try(l, "second", BEGIN + 1), 0);
        }
        for (int i = 0; i < LOGINS_ADDRESSES - 1; i++) {
                char address[32];
                snprintf(address, sizeof(address), "10.1.%d.%d", i / 256, i % 256);
                assert_int_equal(logins_try(l, address, BEGIN + 2), 0);
        }
        assert_true(logins_try(l, "second", BEGIN + 2) > 0);
        assert_int_equal(logins_try(l, "first", BEGIN + 2), 0);
}

#define WITH_LOGINS(test) cmocka_unit_test_setup_teardown(test, open_logins, close_logins)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_LOGINS(each_failure_doubles_the_wait),
                WITH_LOGINS(other_addresses_do_not_wait),
                WITH_LOGINS(a_success_ends_it),
                WITH_LOGINS(it_is_forgotten_after_a_quarter_of_an_hour),
                WITH_LOGINS(the_oldest_leaves_a_full_table),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
