/* SPDX-License-Identifier: Apache-2.0
 *
 * status_old_claims_test.c: which claims of idempotency keys are deleted.
 */
#include "tests/unit/claims_rig.h"

static void old_claims_are_deleted_but_not_leased_ones(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        char key[12];
        for (int i = 0; i <= CLAIMS_FORGOTTEN_AT_ONCE; i++) {
                snprintf(key, sizeof(key), "%d", i);
                (void)claim(r, key, 'a');
                end(r, key, 'a', CLAIM_SETTLE);
        }
        now += KEEP - 1;
        (void)claim(r, "young", 'b');
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), CLAIMS_FORGOTTEN_AT_ONCE + 2);
        now++;
        assert_int_equal(registry_forget_claims(r, &limits, &e), 1);
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), 1);
        assert_counts(r);
        const struct claim_limits brief = {.keep = 1, .lease = LEASE};
        now += 5;
        assert_int_equal(registry_forget_claims(r, &brief, &e), 0);
        assert_int_equal(count(r), 1);
        now += LEASE;
        assert_int_equal(registry_forget_claims(r, &brief, &e), 0);
        assert_int_equal(count(r), 0);
        assert_int_equal(registry_rows_exist(r, "SELECT 1 FROM claim_counts", NULL, &e), 0);
}

/* Others are deleted past it at once, not after a minute. */
static void a_leased_claim_does_not_slow_the_deletion(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        char key[12];
        for (int i = 0; i <= CLAIMS_FORGOTTEN_AT_ONCE; i++) {
                snprintf(key, sizeof(key), "%d", i);
                (void)claim(r, key, 'a');
        }
        now += KEEP - 1;
        (void)claim(r, "1", 'b');
        now++;
        assert_int_equal(registry_forget_claims(r, &limits, &e), 1);
        assert_int_equal(count(r), 2);
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), 1);
        assert_counts(r);
        /* Nothing but leased ones: it waits until they are over. */
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
}

/* A clock that was ahead for a while. */
static void claims_of_the_future_do_not_stay_for_good(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        now = NOW + 365 * (msec)MSEC_DAY;
        (void)claim(r, "future", '1');
        end(r, "future", '1', CLAIM_SETTLE);
        now = NOW;
        (void)claim(r, "after", '2');
        end(r, "after", '2', CLAIM_SETTLE);
        assert_int_equal(claim(r, "future", '3').state, CLAIM_SETTLED);
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), 2);
        now += KEEP;
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), 0);
}

/* A lease of the future is over, so that it does not stop the deletion of those behind it. */
static void unsettled_claims_of_the_future_do_not_stay_for_good(void **state)
{
        struct registry *r = ((struct fixture *)*state)->registry;
        struct err e = {0};
        char key[12];
        now = NOW + 365 * (msec)MSEC_DAY;
        for (int i = 0; i < CLAIMS_FORGOTTEN_AT_ONCE; i++) {
                snprintf(key, sizeof(key), "%d", i);
                (void)claim(r, key, 'a');
        }
        now = NOW;
        (void)claim(r, "after", 'b');
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), CLAIMS_FORGOTTEN_AT_ONCE + 1);
        now += KEEP;
        assert_int_equal(registry_forget_claims(r, &limits, &e), 1);
        assert_int_equal(registry_forget_claims(r, &limits, &e), 0);
        assert_int_equal(count(r), 0);
        assert_counts(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_ACME(old_claims_are_deleted_but_not_leased_ones),
                WITH_ACME(a_leased_claim_does_not_slow_the_deletion),
                WITH_ACME(claims_of_the_future_do_not_stay_for_good),
                WITH_ACME(unsettled_claims_of_the_future_do_not_stay_for_good),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
