/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_places_test.c: how many places there are, for one tenant and for all.
 */
#include "common/http/tenant_places.h"

#include <string.h>

#include "tests/unit/unit.h"

static bool take(struct tenant_places *p, const char *tenant, const char *want_why)
{
        struct err e = {0};
        bool taken = tenant_places_take(p, tenant, &e) == 0;

        assert_int_equal(e.code, taken ? ERR_NONE : ERR_FULL);
        if (!taken)
                assert_string_equal(e.text, want_why);
        return taken;
}

static unsigned take_all(struct tenant_places *p, const char *tenant, const char *want_why)
{
        unsigned taken = 0;

        while (take(p, tenant, want_why))
                taken++;
        return taken;
}

static const char all[] = "too many batches at once";
static const char own[] = "too many batches of this tenant at once";

static void one_tenant_leaves_some_to_others(void **state)
{
        static const struct {
                unsigned most, each, want_other;
        } cases[] = {
                {1, 1, 0}, {2, 1, 1}, {3, 2, 1}, {4, 2, 2}, {96, 64, 32}, {128, 64, 64},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct tenant_places *p =
                        tenant_places_create(cases[i].most, cases[i].each, "batches");
                bool is_only = cases[i].want_other == 0;
                assert_int_equal(take_all(p, "acme", is_only ? all : own), cases[i].each);
                assert_int_equal(take_all(p, "", all), cases[i].want_other); /* admin keys */
                assert_int_equal(take_all(p, "other", all), 0);
                assert_int_equal(tenant_places_taken(p), cases[i].most);
                tenant_places_destroy(&p);
        }
}

static void what_is_returned_is_free_again(void **state)
{
        struct tenant_places *p = tenant_places_create(4, 2, "batches");

        (void)state;
        assert_int_equal(take_all(p, "acme", own), 2);
        assert_int_equal(take_all(p, "other", all), 2);
        tenant_places_return(p, "acme"); /* not the last one taken */
        assert_false(take(p, "other", own));
        assert_true(take(p, "third", NULL));
        tenant_places_return(p, "other");
        assert_int_equal(take_all(p, "acme", all), 1);
        for (int i = 0; i < 2; i++)
                tenant_places_return(p, "acme");
        tenant_places_return(p, "other");
        tenant_places_return(p, "third");
        assert_int_equal(take_all(p, "third", own), 2);
        assert_int_equal(tenant_places_taken(p), 2);
        tenant_places_destroy(&p);
        tenant_places_destroy(&p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_tenant_leaves_some_to_others),
                cmocka_unit_test(what_is_returned_is_free_again),
        };

        return cmocka_run_group_tests_name("tenant_places", tests, NULL, NULL);
}
