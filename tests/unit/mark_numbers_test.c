/* SPDX-License-Identifier: Apache-2.0
 *
 * mark_numbers_test.c: the numbers of marks grow, whatever the clock does.
 */
#include "tests/unit/registry_rig.h"

#include "status-store/acts/mark_numbers.h"

#define NOW ((msec)1764000000000)
#define A_MS 1024 /* numbers */

static msec wall;

msec __wrap_clock_wall(void);
msec __wrap_clock_wall(void)
{
        return wall;
}

static int64_t next(struct mark_numbers *n)
{
        struct err e = {0};
        int64_t number = 0;
        assert_int_equal(mark_numbers_next(n, &number, &e), 0);
        return number;
}

static void they_grow_by_the_clock(void **state)
{
        struct fixture *f = *state;
        struct err e = {0};
        wall = NOW;
        AUTO(mark_numbers) n = mark_numbers_create(f->registry, &e);
        assert_int_equal(next(n), NOW * A_MS);
        assert_int_equal(next(n), NOW * A_MS + 1);
        wall += 5;
        assert_int_equal(next(n), (NOW + 5) * A_MS);
        wall -= MSEC_HOUR;
        assert_int_equal(next(n), (NOW + 5) * A_MS + 1);
}

/* Another machine, or this one after its clock was set. */
static void they_grow_over_a_restart_with_an_earlier_clock(void **state)
{
        struct fixture *f = *state;
        struct err e = {0};
        int64_t last = 0;
        for (int i = 0; i < 5; i++) {
                wall = NOW - i * MSEC_HOUR;
                AUTO(mark_numbers) n = mark_numbers_create(f->registry, &e);
                assert_non_null(n);
                for (int k = 0; k < 3; k++) {
                        int64_t number = next(n);
                        assert_true(number > last);
                        last = number;
                        wall += 40 * MSEC_SECOND;
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(they_grow_by_the_clock, open_registry,
                                                close_registry),
                cmocka_unit_test_setup_teardown(they_grow_over_a_restart_with_an_earlier_clock,
                                                open_registry, close_registry),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
