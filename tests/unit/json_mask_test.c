/* SPDX-License-Identifier: Apache-2.0
 *
 * json_mask_test.c: which members are masked, and that nothing else changes.
 */
#include <string.h>

#include "common/base/json_mask.h"
#include "common/base/json_scan.h"
#include "tests/unit/unit.h"

#define WORDS "password,token,secret,authorization,api_key"

static struct mask_words words_of(const char *list)
{
        struct mask_words words;
        struct err e = {0};

        assert_int_equal(mask_words_parse(bytes_of_text(list), &words, &e), 0);
        return words;
}

static const struct {
        const char *json, *want;
        size_t count;
} texts[] = {
        {"{\"a\":1}", "{\"a\":1}", 0},
        {"{}", "{}", 0},
        {"[]", "[]", 0},
        {"\"password\"", "\"password\"", 0},
        {"[\"password\",\"x\"]", "[\"password\",\"x\"]", 0},
        {"{\"a\":\"password\"}", "{\"a\":\"password\"}", 0},
        {"{\"password\":\"x\"}", "{\"password\":\"***\"}", 1},
        {"{\"password\":\"\"}", "{\"password\":\"***\"}", 1},
        {"{\"password\":null,\"b\":2}", "{\"password\":\"***\",\"b\":2}", 1},
        {"{\"password\":-1.5e3}", "{\"password\":\"***\"}", 1},
        {"{\"password\":true }", "{\"password\":\"***\" }", 1},
        {"{\"password\":{\"a\":[1,{\"b\":\"}]\\\"\"}]},\"c\":3}", "{\"password\":\"***\",\"c\":3}",
         1},
        {"{\"password\":[[\"a\"],[]]}", "{\"password\":\"***\"}", 1},
        {"{\"password\":{}}", "{\"password\":\"***\"}", 1},
        /* Names like the words. */
        {"{\"dbPassword\":1}", "{\"dbPassword\":\"***\"}", 1},
        {"{\"X-Api-Key\":1}", "{\"X-Api-Key\":\"***\"}", 1},
        {"{\"my.api.key\":1}", "{\"my.api.key\":\"***\"}", 1},
        {"{\"client_secret\":1}", "{\"client_secret\":\"***\"}", 1},
        {"{\"pass word\":1}", "{\"pass word\":\"***\"}", 1},
        {"{\"p\\u0061ssword\":1}", "{\"p\\u0061ssword\":\"***\"}", 1},
        {"{\"\\u0050ASS\\u005fWORD\":1}", "{\"\\u0050ASS\\u005fWORD\":\"***\"}", 1},
        {"{\"\\\"token\\\\\":1}", "{\"\\\"token\\\\\":\"***\"}", 1},
        {"{\"\\u0000token\":1}", "{\"\\u0000token\":\"***\"}", 1},
        {"{\"to\\tken\":1,\"to/ken\":2,\"t\\u0000oken\":3}",
         "{\"to\\tken\":\"***\",\"to/ken\":\"***\",\"t\\u0000oken\":\"***\"}", 3},
        {"{\"to\\u200bken\":1,\"a to\xE2\x80\x8Bken\":2}",
         "{\"to\\u200bken\":\"***\",\"a to\xE2\x80\x8Bken\":\"***\"}", 2},
        {"{\"\xEF\xBD\x94oken\":1}", "{\"\xEF\xBD\x94oken\":1}", 0}, /* a full-width t */
        {"{\"tokens\":[1],\"TOKEN\":2}", "{\"tokens\":\"***\",\"TOKEN\":\"***\"}", 2},
        {"{\"pass\":1,\"key\":2,\"apikkey\":3}", "{\"pass\":1,\"key\":2,\"apikkey\":3}", 0},
        {"{\"\":{\"tok\xC3\xA9n\":1}}", "{\"\":{\"tok\xC3\xA9n\":1}}", 0},
        /* Any depth, and white space. */
        {"[{\"a\":{\"b\":[{\"token\":\"t\"}]}}]", "[{\"a\":{\"b\":[{\"token\":\"***\"}]}}]", 1},
        {" {\n\t\"token\" :\r\n [ 1 , 2 ] ,\"n\" : 9007199254740993 } ",
         " {\n\t\"token\" :\r\n \"***\" ,\"n\" : 9007199254740993 } ", 1},
        {"{\"a\":1.10,\"b\":\"\\/\\u00e9\",\"token\":0}",
         "{\"a\":1.10,\"b\":\"\\/\\u00e9\",\"token\":\"***\"}", 1},
        /* Not seen: JSON in a string. */
        {"{\"a\":\"{\\\"token\\\":1}\"}", "{\"a\":\"{\\\"token\\\":1}\"}", 0},
        {"{\"a\":\"\\\\\",\"token\":\"\\\\\"}", "{\"a\":\"\\\\\",\"token\":\"***\"}", 1},
};

static void masks_values_by_name(void **state)
{
        struct mask_words words = words_of(WORDS);

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                AUTO_BUFFER out = {0};
                struct scan_fault fault;
                struct bytes json = bytes_of_text(texts[i].json);
                assert_int_equal(scan_check(json, SCAN_DEPTH_MAX, &fault), 0);
                assert_int_equal(json_mask(json, &words, &out), texts[i].count);
                assert_string_equal(out.data, texts[i].want);
                assert_int_equal(scan_check(buffer_bytes(&out), SCAN_DEPTH_MAX, &fault), 0);
        }
}

static void without_words_nothing_changes(void **state)
{
        static const char text[] = "{\"password\": \"x\"}";
        struct mask_words words = words_of("");
        AUTO_BUFFER out = {0};

        (void)state;
        assert_int_equal(json_mask(bytes_of_text(text), &words, &out), 0);
        assert_string_equal(out.data, text);
        assert_int_equal(json_mask((struct bytes){0}, &words, &out), 0);
        assert_string_equal(out.data, text);
}

static void appends(void **state)
{
        struct mask_words words = words_of("pin");
        AUTO_BUFFER out = {0};

        (void)state;
        buffer_add_text(&out, "x=");
        assert_int_equal(json_mask(bytes_of_text("{\"PIN\":1}"), &words, &out), 1);
        assert_string_equal(out.data, "x={\"PIN\":\"***\"}");
}

static void a_long_text_takes_one_pass(void **state)
{
        struct mask_words words = words_of(WORDS);
        AUTO_BUFFER text = {0}, out = {0};
        int depth = 100000; /* deeper than input from outside may be */

        (void)state;
        buffer_add_text(&text, "{\"secret\":");
        for (int i = 0; i < depth; i++)
                buffer_add_char(&text, '[');
        for (int i = 0; i < depth; i++)
                buffer_add_char(&text, ']');
        buffer_add_text(&text, "}");
        assert_int_equal(json_mask(buffer_bytes(&text), &words, &out), 1);
        assert_string_equal(out.data, "{\"secret\":\"***\"}");
}

static void reads_words(void **state)
{
        struct mask_words words = words_of("Api_Key, PIN.code ,x");

        (void)state;
        assert_int_equal(words.count, 3);
        assert_string_equal(words.words[0], "apikey");
        assert_string_equal(words.words[1], "pincode");
        assert_string_equal(words.words[2], "x");
        words = words_of("abcdefghijklmnopqrstuvwxyz012345");
        assert_int_equal(words.count, 1);
}

static void refuses_lists(void **state)
{
        static const char *const lists[] = {
                ",",
                "a,",
                ",a",
                "a,,b",
                "_",
                "a,- -",
                "a\tb",
                "\xC3\xA9",
                "abcdefghijklmnopqrstuvwxyz0123456",
                "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"};

        (void)state;
        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
                struct mask_words words;
                struct err e = {0};
                assert_int_equal(mask_words_parse(bytes_of_text(lists[i]), &words, &e), -1);
                assert_int_equal(e.code, ERR_INVALID);
                assert_int_equal(words.count, 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(masks_values_by_name),
                cmocka_unit_test(without_words_nothing_changes),
                cmocka_unit_test(appends),
                cmocka_unit_test(a_long_text_takes_one_pass),
                cmocka_unit_test(reads_words),
                cmocka_unit_test(refuses_lists),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
