/* SPDX-License-Identifier: Apache-2.0
 *
 * access_test.c: who may do what.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/access.h"
#include "tests/unit/unit.h"

enum { NOW = 1000000 };

static void make_key(struct key_record *k, char secret[KEY_SECRET_SIZE])
{
        char text[KEY_TEXT_SIZE];
        char id[KEY_ID_SIZE];

        *k = (struct key_record){.tenant = "acme", .scopes = SCOPE_SUBMIT | SCOPE_READ};
        api_key_generate(text, k->id, k->sha256);
        assert_true(api_key_split(text, id, secret));
}

static void test_judge(void **state)
{
        (void)state;
        static const struct {
                const char *tenant;
                unsigned scopes, needed;
                msec expires;
                bool revoked;
                enum access want;
        } cases[] = {
                {"acme", SCOPE_SUBMIT, SCOPE_SUBMIT, 0, false, ACCESS_GRANTED},
                {"acme", SCOPE_SUBMIT | SCOPE_READ, SCOPE_READ, 0, false, ACCESS_GRANTED},
                {"acme", SCOPE_SUBMIT, SCOPE_READ, 0, false, ACCESS_NO_SCOPE},
                {"acme", 0, SCOPE_READ, 0, false, ACCESS_NO_SCOPE},
                {"acme", SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE, SCOPE_ADMIN, 0, false,
                 ACCESS_NO_SCOPE},
                {"acme", SCOPE_ADMIN, SCOPE_ADMIN, 0, false, ACCESS_NO_SCOPE},
                {"acme", SCOPE_ADMIN, SCOPE_READ, 0, false, ACCESS_NO_SCOPE},
                {"", SCOPE_ADMIN, SCOPE_ADMIN, 0, false, ACCESS_GRANTED},
                {"", SCOPE_ADMIN, SCOPE_SUBMIT, 0, false, ACCESS_GRANTED},
                {"", SCOPE_ADMIN, SCOPE_OPERATE, 0, false, ACCESS_GRANTED},
                {"acme", SCOPE_READ, SCOPE_READ, NOW + 1, false, ACCESS_GRANTED},
                {"acme", SCOPE_READ, SCOPE_READ, NOW, false, ACCESS_WRONG},
                {"acme", SCOPE_READ, SCOPE_READ, NOW - 1, false, ACCESS_WRONG},
                {"acme", SCOPE_READ, SCOPE_READ, 0, true, ACCESS_WRONG},
                {"", SCOPE_ADMIN, SCOPE_READ, 0, true, ACCESS_WRONG},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct key_record k;
                struct caller c = {0};
                char secret[KEY_SECRET_SIZE];
                make_key(&k, secret);
                snprintf(k.tenant, sizeof(k.tenant), "%s", cases[i].tenant);
                k.scopes = cases[i].scopes;
                k.expires = cases[i].expires;
                k.revoked = cases[i].revoked;
                assert_int_equal(access_judge(&k, secret, cases[i].needed, NOW, &c), cases[i].want);
                if (cases[i].want == ACCESS_GRANTED) {
                        assert_string_equal(c.tenant, cases[i].tenant);
                        assert_string_equal(c.key, k.id);
                }
                secret[7] = secret[7] == 'a' ? 'b' : 'a';
                assert_int_equal(access_judge(&k, secret, cases[i].needed, NOW, &c), ACCESS_WRONG);
                assert_int_equal(access_judge(NULL, secret, cases[i].needed, NOW, &c),
                                 ACCESS_WRONG);
        }
}

static void test_bearer(void **state)
{
        (void)state;
        static const struct {
                const char *header, *want;
        } cases[] = {
                {"Bearer wk_abcd1234_x", "wk_abcd1234_x"},
                {"bearer  wk_abcd1234_x", "wk_abcd1234_x"},
                {"Bearer nonsense ", "nonsense "},
                {NULL, NULL},
                {"", NULL},
                {"Bearer", NULL},
                {"Bearer ", NULL},
                {"Basic wk_abcd1234_x", NULL},
                {"wk_abcd1234_x", NULL},
        };

        for (size_t i = 0; i < COUNT(cases); i++) {
                const char *got = bearer_token(cases[i].header);
                if (cases[i].want == NULL)
                        assert_null(got);
                else
                        assert_string_equal(got, cases[i].want);
        }
}

static void test_tenant(void **state)
{
        (void)state;
        static const struct caller admin = {.scopes = SCOPE_ADMIN};
        static const struct caller acme = {.tenant = "acme", .scopes = SCOPE_READ};
        static const struct caller odd = {.tenant = "acme", .scopes = SCOPE_ADMIN};
        static const struct {
                const struct caller *caller;
                const char *named, *want;
        } cases[] = {
                {&admin, NULL, "*"},   {&admin, "*", "*"},      {&admin, "acme", "acme"},
                {&acme, NULL, "acme"}, {&acme, "acme", "acme"}, {&acme, "other", NULL},
                {&acme, "*", NULL},    {&acme, "", NULL},       {&odd, NULL, "acme"},
                {&odd, "other", NULL},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const char *got = access_tenant(cases[i].caller, cases[i].named);
                if (cases[i].want == NULL)
                        assert_null(got);
                else
                        assert_string_equal(got, cases[i].want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_judge),
                cmocka_unit_test(test_bearer),
                cmocka_unit_test(test_tenant),
        };
        return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
