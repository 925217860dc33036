/* SPDX-License-Identifier: Apache-2.0
 *
 * json_write_test.c: writing JSON into a buffer, with its commas.
 */
#include <string.h>

#include "common/base/json_write.h"
#include "tests/unit/unit.h"

static void writes_every_kind(void **state)
{
        AUTO_BUFFER out = {0};

        (void)state;
        json_begin(&out);
        json_put_text(&out, "text", bytes_of_text("a\"\\\n\x7f\xff\xC3\xA9"));
        json_put_text(&out, "absent", (struct bytes){0});
        json_put_string(&out, "word", "w");
        json_put_string(&out, "no_word", NULL);
        json_put_text_or_null(&out, "empty", bytes_of_text(""));
        json_put_text_or_null(&out, "some", bytes_of_text("x"));
        json_put_given(&out, "nothing", (struct bytes){0});
        json_put_given(&out, "given", bytes_of_text(""));
        json_put_int(&out, "least", INT64_MIN);
        json_put_int(&out, "most", INT64_MAX);
        json_put_int(&out, "zero", 0);
        json_put_flag(&out, "yes", true);
        json_put_flag(&out, "no", false);
        json_put_real(&out, "half", 0.5);
        json_put_time(&out, "at", 1000);
        json_put_time(&out, "never", 0);
        json_put_null(&out, "null");
        json_put_raw(&out, "raw", bytes_of_text(" [1.50 ]\n"));
        json_put_raw(&out, "none", (struct bytes){0});
        json_end(&out);
        assert_string_equal(
                out.data,
                "{\"text\":\"a\\\"\\\\\\n\\u007f\xEF\xBF\xBD\xC3\xA9\",\"absent\":\"\","
                "\"word\":\"w\",\"no_word\":null,\"empty\":null,\"some\":\"x\",\"given\":\"\","
                "\"least\":-9223372036854775808,"
                "\"most\":9223372036854775807,\"zero\":0,\"yes\":true,\"no\":false,\"half\":0.5,"
                "\"at\":\"1970-01-01T00:00:01.000Z\",\"never\":null,\"null\":null,"
                "\"raw\": [1.50 ]\n,\"none\":null}");
}

static void puts_commas_where_they_are_due(void **state)
{
        AUTO_BUFFER out = {0};

        (void)state;
        for (int i = 0; i < 2; i++) { /* two texts in one buffer are separated */
                json_begin(&out);
                json_begin_array(&out, "a");
                json_end_array(&out);
                json_begin_array(&out, "b");
                json_put_int(&out, NULL, 1);
                json_put_text(&out, NULL, bytes_of_text("[{:,"));
                json_begin_object(&out, NULL);
                json_end(&out);
                json_begin_object(&out, NULL);
                json_put_null(&out, "c");
                json_end(&out);
                json_end_array(&out);
                json_begin_object(&out, "d");
                json_put_int(&out, "e", 1);
                json_end(&out);
                json_put_flag(&out, "f", true);
                json_end(&out);
                buffer_add_char(&out, '\n');
        }
#define LINE "{\"a\":[],\"b\":[1,\"[{:,\",{},{\"c\":null}],\"d\":{\"e\":1},\"f\":true}\n"
        assert_string_equal(out.data, LINE LINE);
}

static void writes_members_for_braces_of_others(void **state)
{
        AUTO_BUFFER out = {0};

        (void)state;
        json_put_int(&out, "a", 1);
        json_put_int(&out, "b", 2);
        assert_string_equal(out.data, "\"a\":1,\"b\":2");
}

static void shows_payloads(void **state)
{
        static const struct {
                struct bytes payload;
                bool is_json;
                const char *want;
        } cases[] = {
                {{"{\"a\": 1.0}", 10}, true, "\"payload\":{\"a\": 1.0}"},
                {{"\xff\0", 2}, false, "\"payload\":null,\"payload_base64\":\"/wA=\""},
                {{NULL, 0}, true, "\"payload\":null"},
                {{"", 0}, false, "\"payload\":null,\"payload_base64\":\"\""},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO_BUFFER out = {0};
                json_put_payload(&out, cases[i].payload, cases[i].is_json);
                assert_string_equal(out.data, cases[i].want);
        }
}

/* Strings are escaped correctly whatever surrounds the characters to escape. */
static void strings_of_any_length_are_escaped(void **state)
{
        (void)state;
        for (size_t before = 0; before < 20; before++) {
                for (size_t after = 0; after < 20; after++) {
                        AUTO_BUFFER text = {0}, out = {0}, want = {0};
                        for (size_t i = 0; i < before; i++)
                                buffer_add_char(&text, 'a');
                        buffer_printf(&want, "\"%s\\u0001\\\"", text.length > 0 ? text.data : "");
                        buffer_add_text(&text, "\x01\"");
                        for (size_t i = 0; i < after; i++) {
                                buffer_add_char(&text, '~');
                                buffer_add_char(&want, '~');
                        }
                        buffer_add_char(&want, '"');
                        json_put_text(&out, NULL, buffer_bytes(&text));
                        assert_string_equal(out.data, want.data);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(writes_every_kind),
                cmocka_unit_test(puts_commas_where_they_are_due),
                cmocka_unit_test(writes_members_for_braces_of_others),
                cmocka_unit_test(shows_payloads),
                cmocka_unit_test(strings_of_any_length_are_escaped),
        };
        return cmocka_run_group_tests_name("json_write", tests, NULL, NULL);
}
