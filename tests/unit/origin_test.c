/* SPDX-License-Identifier: Apache-2.0
 *
 * origin_test.c: lists of words, addresses that proxies forward, and lists of origins.
 */
#include "gateway/origin.h"

#include "gateway/comma_list.h"
#include "gateway/cors.h"
#include "tests/unit/unit.h"

static void words_are_listed_exactly(void **state)
{
        static const struct {
                const char *list, *word;
                bool want;
        } table[] = {
                {"127.0.0.1", "127.0.0.1", true},
                {"a,b,c", "b", true},
                {" a , b ", "b", true},
                {" a , b ", "a", true},
                {"a,b", "a,b", false},
                {"a,b", "", false},
                {",,", "", false},
                {"ab", "a", false},
                {"a", "ab", false},
                {"A", "a", false},
                {NULL, "a", false},
                {"", "a", false},
                {"10.0.0.1,10.0.0.2", "10.0.0.2", true},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                assert_int_equal(comma_list_has(table[i].list, bytes_of_text(table[i].word)),
                                 table[i].want);
}

static void the_last_forwarded_address_counts(void **state)
{
        static const struct {
                const char *header, *want; /* NULL: none */
        } table[] = {
                {"10.0.0.7", "10.0.0.7"},
                {"1.1.1.1, 10.0.0.7", "10.0.0.7"},
                {"1.1.1.1,10.0.0.7,", "10.0.0.7"},
                {"unknown, 10.0.0.7", "10.0.0.7"},
                {"10.0.0.7, unknown", NULL},
                {"1.1.1.1, 10.0.0.7:5000", "10.0.0.7"},
                {"[::1]:5", "::1"},
                {"[2001:db8::1]", "2001:db8::1"},
                {"::ffff:10.0.0.7", "10.0.0.7"},
                {"[::ffff:10.0.0.7]:80", "10.0.0.7"},
                {"[::1", NULL},
                {"[::1]x", NULL},
                {":5000", NULL},
                {"2001:DB8::0:1", "2001:db8::1"},
                {"10.0.0.256", NULL},
                {"", NULL},
                {NULL, NULL},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                char out[ORIGIN_SIZE];
                bool found = origin_forwarded(table[i].header, out);
                assert_int_equal(found, table[i].want != NULL);
                if (found)
                        assert_string_equal(out, table[i].want);
        }
}

static void networks_of_addresses(void **state)
{
        char out[ORIGIN_SIZE];
        (void)state;
        origin_network("10.0.0.7", out);
        assert_string_equal(out, "10.0.0.7");
        origin_network("2001:db8:1:2:3:4:5:6", out);
        assert_string_equal(out, "2001:db8:1:2::");
        origin_network("::ffff:10.0.0.7", out); /* not one network of all IPv4 */
        assert_string_equal(out, "10.0.0.7");
}

static void only_addresses_are_proxies(void **state)
{
        static const struct {
                const char *list;
                int want;
        } table[] = {
                {NULL, 0},
                {"", 0},
                {"127.0.0.1, 10.0.0.2,::1", 0},
                {"10.0.0.0/8", -1},
                {"10.0.0.2,proxy.example", -1},
                {"10.0.0.2:80", -1},
                {"10.0.0.256", -1},
                {"2001:DB8::1", -1},
                {"::ffff:10.0.0.2", -1},
                {"*", -1},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct err e = {0};
                assert_int_equal(origin_check(table[i].list, &e), table[i].want);
                assert_int_equal(err_is_set(&e), table[i].want != 0);
        }
}

static void origins_are_judged(void **state)
{
        static const struct {
                const char *list;
                int want;
        } table[] = {
                {NULL, 0},
                {"https://ui.example", 0},
                {"https://ui.example, http://localhost:3000,http://[::1]:80", 0},
                {"*", -1},
                {"null", -1},
                {"https://ui.example,*", -1},
                {"https://ui.example/", -1},
                {"https://UI.example", -1},
                {"https://*.example", -1},
                {"ui.example", -1},
                {"https://", -1},
                {"https://a b", -1},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct err e = {0};
                assert_int_equal(cors_check(table[i].list, &e), table[i].want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words_are_listed_exactly),
                cmocka_unit_test(the_last_forwarded_address_counts),
                cmocka_unit_test(networks_of_addresses),
                cmocka_unit_test(only_addresses_are_proxies),
                cmocka_unit_test(origins_are_judged),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
