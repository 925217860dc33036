/* SPDX-License-Identifier: Apache-2.0
 *
 * cookies_test.c: which cookie a request has.
 */
#include "common/http/cookies.h"

#include <string.h>

#include "tests/unit/unit.h"

static void each_cookie_is_found_once(void **state)
{
        static const struct {
                const char *headers[3];
                const char *name, *want; /* NULL: none */
        } rows[] = {
                {{NULL}, "warren", NULL},
                {{""}, "warren", NULL},
                {{"warren=1.a.b"}, "warren", "1.a.b"},
                {{"warren=1; x=2"}, "warren", "1"},
                {{"x=2; warren=1"}, "warren", "1"},
                {{"x=2;warren=1;"}, "warren", "1"},
                {{"x=2 ;\twarren=a=b \t; y=3"}, "warren", "a=b"},
                {{"warren="}, "warren", ""},
                {{"warren=\"1\""}, "warren", "\"1\""},
                {{"warren"}, "warren", NULL},
                {{"Warren=1"}, "warren", NULL},
                {{"warrens=1; awarren=2; __Host-warren=3"}, "warren", NULL},
                {{"warren =1"}, "warren", NULL},
                {{"; ; =; warren=1"}, "warren", "1"},
                {{"two=1; two=2"}, "two", NULL},
                {{"two=1; two=1"}, "two", NULL},
                {{"two=1", "two=2"}, "two", NULL},
                {{"x=2", "warren=1"}, "warren", "1"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct cookies c = {0};
                for (size_t j = 0; rows[i].headers[j] != NULL; j++)
                        cookies_add(&c, rows[i].headers[j]);
                cookies_read(&c);
                bool several;
                const char *got = cookies_find(&c, rows[i].name, &several);
                assert_int_equal(several, strstr(rows[i].name, "two") != NULL);
                if (rows[i].want == NULL)
                        assert_null(got);
                else
                        assert_string_equal(got, rows[i].want);
                cookies_fini(&c);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(each_cookie_is_found_once)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
