/* SPDX-License-Identifier: Apache-2.0
 *
 * waiters_test.c: how many threads wait for a job, of all and of one tenant.
 */
#include "tests/unit/unit.h"

#include "status-store/jobs/waiters.h"

#define ID "0190aaaa-0000-7000-8000-000000000001"

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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_tenant_has_half_of_the_places),
                cmocka_unit_test(one_waits_alone),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
