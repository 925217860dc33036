/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_places_test.c: how many batches are read at once, of one tenant and of all.
 */
#include "gateway/batch_places.h"

#include <string.h>

#include "tests/unit/unit.h"

static bool take(struct batch_places *p, const char *tenant, const char *want_why)
{
        struct err e = {0};
        bool taken = batch_places_take(p, tenant, &e) == 0;

        assert_int_equal(e.code, taken ? ERR_NONE : ERR_FULL);
        if (!taken)
                assert_string_equal(e.text, want_why);
        return taken;
}

static unsigned take_all(struct batch_places *p, const char *tenant, const char *want_why)
{
        unsigned taken = 0;

        while (take(p, tenant, want_why))
                taken++;
        return taken;
}

static const char all[] = "too many batches are being read";
static const char own[] = "too many batches of this tenant are being read";

static void one_tenant_has_half(void **state)
{
        static const struct {
                unsigned threads, want_own, want_other, want_third;
        } cases[] = {
                {4, 1, 0, 0},  {15, 1, 0, 0},  {16, 1, 1, 0},     {24, 2, 1, 0},
                {32, 2, 2, 0}, {128, 8, 8, 0}, {1024, 64, 64, 0},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct batch_places *p = batch_places_create(cases[i].threads);
                bool is_only = cases[i].want_other == 0;
                assert_int_equal(take_all(p, "acme", is_only ? all : own), cases[i].want_own);
                assert_int_equal(take_all(p, "", all), cases[i].want_other); /* admin keys */
                assert_int_equal(take_all(p, "other", all), cases[i].want_third);
                batch_places_destroy(&p);
        }
}

static void what_is_returned_is_free_again(void **state)
{
        struct batch_places *p = batch_places_create(32);

        (void)state;
        assert_int_equal(take_all(p, "acme", own), 2);
        assert_int_equal(take_all(p, "other", all), 2);
        batch_places_return(p, "acme"); /* not the last one taken */
        assert_false(take(p, "other", own));
        assert_true(take(p, "third", NULL));
        batch_places_return(p, "other");
        assert_int_equal(take_all(p, "acme", all), 1);
        for (int i = 0; i < 2; i++)
                batch_places_return(p, "acme");
        batch_places_return(p, "other");
        batch_places_return(p, "third");
        assert_int_equal(take_all(p, "third", own), 2);
        batch_places_destroy(&p);
        batch_places_destroy(&p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_tenant_has_half),
                cmocka_unit_test(what_is_returned_is_free_again),
        };

        return cmocka_run_group_tests_name("batch_places", tests, NULL, NULL);
}
