/* SPDX-License-Identifier: Apache-2.0
 *
 * quote_test.c: offending values quoted as short printable text.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "common/model/quote.h"

static void texts_are_escaped_and_cut(void **state)
{
        static const struct {
                const char *text, *want;
        } rows[] = {
                {"", "\"\""},
                {"42; drop table", "\"42; drop table\""},
                {"a\"b\\c\nd\x01\x7f", "\"a\\\"b\\\\c\\nd\\x01\\x7f\""},
                {"gr\xc3\xbc\xc3\x9f"
                 "e \xff\xc3",
                 "\"gr\xc3\xbc\xc3\x9f"
                 "e \\xff\\xc3\""},
                {"0123456789012345678901234567890123456789012345678901234567890",
                 "\"012345678901234567890123456789012345678901234567890123456789\"… (61 bytes)"},
        };
        char out[QUOTE_SIZE];

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++)
                assert_string_equal(quote_text(bytes_of_text(rows[i].text), out), rows[i].want);
}

static void the_longest_text_ends_whole(void **state)
{
        char text[1000], out[QUOTE_SIZE];

        (void)state;
        memset(text, 1, sizeof(text));
        quote_text(bytes_of(text, sizeof(text)), out);
        assert_non_null(strstr(out, "\\x01\"… (1000 bytes)"));
}

/* Quotes `value`, in wire form, from a property list whose only header is x. */
static const char *quote_value(struct bytes value, char out[QUOTE_SIZE])
{
        AUTO_BUFFER list = {0};
        struct header h = {.kind = HEADER_OTHER};
        struct message m = {0};

        buffer_add(&list, "\x20\0\0\0\0", 5);
        buffer_add_char(&list, (char)(value.length + 2));
        buffer_add(&list, "\1x", 2);
        buffer_add(&list, value.data, value.length);
        m.properties = buffer_bytes(&list);
        h.name = bytes_of(list.data + 7, 1);
        return quote_header(&m, &h, out);
}

#define WIRE(text) \
        { \
                text, sizeof(text) - 1 \
        }

static void every_type_of_header_is_shown(void **state)
{
        static const struct {
                struct bytes value;
                const char *want;
        } rows[] = {
                {WIRE("t\1"), "true"},
                {WIRE("t\0"), "false"},
                {WIRE("b\xff"), "-1"},
                {WIRE("B\xff"), "255"},
                {WIRE("s\xff\xfe"), "-2"},
                {WIRE("u\xff\xfe"), "65534"},
                {WIRE("I\xff\xff\xff\xfd"), "-3"},
                {WIRE("i\xff\xff\xff\xfd"), "4294967293"},
                {WIRE("l\x80\0\0\0\0\0\0\0"), "-9223372036854775808"},
                {WIRE("L\x80\0\0\0\0\0\0\0"), "9223372036854775808"},
                {WIRE("f\x3f\0\0\0"), "0.5"},
                {WIRE("d\x3f\xf8\0\0\0\0\0\0"), "1.5"},
                {WIRE("D\3\0\0\4\xe2"), "1250e-3"},
                {WIRE("T\0\0\0\0\xf4\x86\x57\0"), "timestamp 4102444800"},
                {WIRE("V"), "void"},
                {WIRE("S\0\0\0\2hi"), "\"hi\""},
                {WIRE("x\0\0\0\2\0\xff"), "\"\\x00\\xff\""},
                {WIRE("A\0\0\0\0"), "[]"},
                {WIRE("F\0\0\0\0"), "{}"},
                {WIRE("A\0\0\0\7b\1V"
                      "F\0\0\0\0"),
                 "[1, void, "}, /* cut inside a length */
                {WIRE("F\0\0\0\7\4days"
                      "b\1"),
                 "{\"days\": 1}"},
                {WIRE("F\0\0\0\x0c\1a"
                      "b\1\1b"
                      "A\0\0\0\2t\1"),
                 "{\"a\": 1, \"b\": "},
                {WIRE("F\0\0\0\x0d\1a"
                      "b\1\1b"
                      "A\0\0\0\2t\1"),
                 "{\"a\": 1, \"b\": [true]}"},
                {WIRE("A\0\0\0\5b\1"), ""}, /* shorter than its length says */
                {WIRE("S\xff\xff\xff\xff"), ""},
                {WIRE("?"), ""},
                {WIRE(""), ""},
        };
        char out[QUOTE_SIZE];

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++)
                assert_string_equal(quote_value(rows[i].value, out), rows[i].want);
}

static void what_nests_or_goes_on_is_cut(void **state)
{
        AUTO_BUFFER nest = {0};
        char out[QUOTE_SIZE];

        (void)state;
        for (int depth = 20; depth >= 0; depth--) {
                const char length[] = {'A', 0, 0, 0, (char)(5 * depth)};
                buffer_add(&nest, length, sizeof(length));
        }
        assert_string_equal(quote_value(buffer_bytes(&nest), out), "[[[[[[[[[…");

        buffer_clear(&nest);
        buffer_add(&nest, "A\0\0\0\x78", 5);
        for (int i = 0; i < 60; i++)
                buffer_add(&nest, "b\x0b", 2);
        quote_value(buffer_bytes(&nest), out);
        assert_memory_equal(out, "[11, 11, ", 9);
        assert_int_in_range(strlen(out), 60, 80);
        assert_non_null(strstr(out, ", …"));
}

static void headers_of_ours_need_no_list(void **state)
{
        const struct header number = {.kind = HEADER_INT, .number = -5};
        const struct header text = {.kind = HEADER_STRING, .text = {"soon", 4}};
        const struct header other = {.name = {"x", 1}, .kind = HEADER_OTHER};
        const struct message m = {0};
        char out[QUOTE_SIZE];

        (void)state;
        assert_string_equal(quote_header(&m, &number, out), "-5");
        assert_string_equal(quote_header(&m, &text, out), "\"soon\"");
        assert_string_equal(quote_header(&m, &other, out), "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(texts_are_escaped_and_cut),
                cmocka_unit_test(the_longest_text_ends_whole),
                cmocka_unit_test(every_type_of_header_is_shown),
                cmocka_unit_test(what_nests_or_goes_on_is_cut),
                cmocka_unit_test(headers_of_ours_need_no_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
