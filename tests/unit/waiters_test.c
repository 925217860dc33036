/* SPDX-License-Identifier: Apache-2.0
 *
 * waiters_test.c: how many threads wait for a job, of all and of one tenant; for how long
 * a job is young.
 */
#include "tests/unit/unit.h"

#include "status-store/jobs/waiters.h"

#define ID "0190aaaa-0000-7000-8000-000000000001"

#define BORN ((msec)0x0190aaaa0000) /* as the id says */

static msec wall;

msec __wrap_clock_wall(void);
msec __wrap_clock_wall(void)
{
        return wall;
}

static void a_tenant_has_half_of_the_places(void **state)
{
        struct waiter all[5];
        (void)state;
        struct waiters *w = waiters_create(4);
        assert_true(waiters_join(w, "acme", ID, &all[0]));
        assert_true(waiters_join(w, "acme", ID, &all[1]));
        assert_false(waiters_join(w, "acme", ID, &all[2]));
        assert_true(waiters_join(w, "other", ID, &all[2]));
        assert_true(waiters_join(w, "*", ID, &all[3]));
        assert_false(waiters_join(w, "third", ID, &all[4]));
        waiters_leave(w, &all[0]);
        assert_true(waiters_join(w, "acme", ID, &all[0]));
        for (int i = 0; i < 4; i++)
                waiters_leave(w, &all[i]);
        waiters_destroy(&w);
}

static void one_waits_alone(void **state)
{
        struct waiter me;
        (void)state;
        struct waiters *w = waiters_create(1);
        assert_true(waiters_join(w, "acme", ID, &me));
        waiters_leave(w, &me);
        waiters_destroy(&w);
}

/* Also by a clock that is a little behind. */
static void a_job_is_young_for_two_seconds(void **state)
{
        static const struct {
                msec age, want;
        } cases[] = {{0, 2000},     {1, 1999},  {1999, 1},   {2000, 0},
                     {-1999, 2000}, {-2000, 0}, {3600000, 0}};
        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                wall = BORN + cases[i].age;
                assert_int_equal(waiters_young_left(ID), cases[i].want);
        }
        wall = BORN;
        assert_int_equal(waiters_young_left("0190aaaa-0000-4000-8000-000000000001"), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_tenant_has_half_of_the_places),
                cmocka_unit_test(one_waits_alone),
                cmocka_unit_test(a_job_is_young_for_two_seconds),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
