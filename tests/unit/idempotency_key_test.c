/* SPDX-License-Identifier: Apache-2.0
 *
 * idempotency_key_test.c: the forms of the header Idempotency-Key.
 */
#include "gateway/idempotency_key.h"

#include <string.h>

#include "tests/unit/unit.h"

static void test_header(void **state)
{
        (void)state;
        static const struct {
                const char *header;
                const char *want; /* NULL: refused */
        } cases[] = {
                {"a", "a"},
                {"8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"},
                {"order/17;x=\"1\"", "order/17;x=\"1\""},
                {"a\\b", "a\\b"},
                {" \ta\t ", "a"},
                {"\"a\"", "a"},
                {" \"a\" ", "a"},
                {"\"a b\"", "a b"},
                {"\" \"", " "},
                {"\"a\\\"b\\\\c\"", "a\"b\\c"},
                {"", NULL},
                {"  ", NULL},
                {"a b", NULL},
                {"a\tb", NULL},
                {"a\x7f", NULL},
                {"\xc3\xa4", NULL},
                {"\"", NULL},
                {"\"\"", NULL},
                {"\"a", NULL},
                {"\"a\\\"", NULL},
                {"\"a\\", NULL},
                {"\"a\\n\"", NULL},
                {"\"a\tb\"", NULL},
                {"\"\xc3\xa4\"", NULL},
                {"\"a\";x=1", NULL},
                {"\"a\" \"b\"", NULL},
                {"\"a\", \"b\"", NULL},
        };

        for (size_t i = 0; i < COUNT(cases); i++) {
                char key[JOB_KEY_SIZE] = "";
                struct err e = {0};
                int got = idempotency_key_parse(cases[i].header, key, &e);
                if ((got == 0) != (cases[i].want != NULL) ||
                    strcmp(key, cases[i].want != NULL ? cases[i].want : "") != 0)
                        fail_msg("<%s>: %d <%s> %s", cases[i].header, got, key, e.text);
                if (got != 0)
                        assert_int_equal(e.code, ERR_INVALID);
        }
}

static void test_length(void **state)
{
        (void)state;
        static const struct {
                int letters;
                bool quoted, want;
        } cases[] = {{255, false, true}, {256, false, false}, {1000, false, false},
                     {255, true, true},  {256, true, false},  {1000, true, false}};

        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO_BUFFER header = {0};
                char key[JOB_KEY_SIZE];
                struct err e = {0};
                if (cases[i].quoted)
                        buffer_add_char(&header, '"');
                for (int n = 0; n < cases[i].letters; n++)
                        buffer_add_char(&header, 'k');
                if (cases[i].quoted)
                        buffer_add_char(&header, '"');
                assert_int_equal(idempotency_key_parse(header.data, key, &e) == 0, cases[i].want);
                if (cases[i].want)
                        assert_int_equal(strlen(key), cases[i].letters);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_header),
                cmocka_unit_test(test_length),
        };
        return cmocka_run_group_tests_name("idempotency_key", tests, NULL, NULL);
}
