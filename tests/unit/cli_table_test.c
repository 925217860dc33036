/* SPDX-License-Identifier: Apache-2.0
 *
 * cli_table_test.c: alignment, cutting, colours, and that no text controls the terminal.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "common/base/own.h"
#include "ui/cli/table.h"

static struct table *two_columns(void)
{
        static const char *const titles[] = {"NAME", "WHAT", NULL};
        struct table *t = table_create(titles);

        table_row(t);
        table_cell_text(t, "\xe6\x97\xa5\xe6\x9c\xac");
        table_cell(t, bytes_of_text("wide"), COLOUR_RED);
        table_row(t);
        table_cell_text(t, "gr\xc3\xbc\xc3\x9f"
                           "e!");
        table_cell_text(t, "a rather long text here");
        table_row(t);
        table_cell_text(t, "last");
        return t;
}

static void test_render(void **state)
{
        static const struct {
                unsigned width;
                bool colours;
                const char *want;
        } table[] = {
                {0, false,
                 "NAME    WHAT\n"
                 "\xe6\x97\xa5\xe6\x9c\xac    wide\n"
                 "gr\xc3\xbc\xc3\x9f"
                 "e!  a rather long text here\n"
                 "last\n"},
                {20, false,
                 "NAME    WHAT\n"
                 "\xe6\x97\xa5\xe6\x9c\xac    wide\n"
                 "gr\xc3\xbc\xc3\x9f"
                 "e!  a rather lo\xe2\x80\xa6\n"
                 "last\n"},
                {17, false, /* too little of the last column would remain */
                 "NAME    WHAT\n"
                 "\xe6\x97\xa5\xe6\x9c\xac    wide\n"
                 "gr\xc3\xbc\xc3\x9f"
                 "e!  a rather long text here\n"
                 "last\n"},
                {0, true,
                 "\x1b[90mNAME\x1b[0m    \x1b[90mWHAT\x1b[0m\n"
                 "\xe6\x97\xa5\xe6\x9c\xac    \x1b[31mwide\x1b[0m\n"
                 "gr\xc3\xbc\xc3\x9f"
                 "e!  a rather long text here\n"
                 "last\n"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO(table) t = two_columns();
                AUTO_BUFFER out = {0};
                table_render(t, table[i].width, table[i].colours, &out);
                assert_int_equal(table_rows(t), 3);
                assert_string_equal(buffer_bytes(&out).data, table[i].want);
        }
}

static void test_show(void **state)
{
        static const struct {
                const char *text;
                size_t length;
                const char *want, *want_block;
        } table[] = {
                {"plain", 5, "plain", "plain"},
                {"a\nb\tc\r", 6, "a b c ", "a\nb c "},
                {"\x1b[31mred", 8, "\xef\xbf\xbd[31mred", "\xef\xbf\xbd[31mred"},
                {"\xc2\x9b"
                 "31m",
                 5,
                 "\xef\xbf\xbd"
                 "31m",
                 "\xef\xbf\xbd"
                 "31m"},
                {"a\0b", 3,
                 "a\xef\xbf\xbd"
                 "b",
                 "a\xef\xbf\xbd"
                 "b"},
                {"\xff\xc3", 2, "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd"},
                {"x\xe2\x80\xaey", 5, "x\xef\xbf\xbdy", "x\xef\xbf\xbdy"},
                {"\x7f", 1, "\xef\xbf\xbd", "\xef\xbf\xbd"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER text = {0};
                AUTO_BUFFER block = {0};
                show_text(&text, bytes_of(table[i].text, table[i].length));
                show_block(&block, bytes_of(table[i].text, table[i].length));
                assert_string_equal(text.data, table[i].want);
                assert_string_equal(block.data, table[i].want_block);
        }
}

static void test_json(void **state)
{
        static const struct {
                const char *json, *want;
        } table[] = {
                {"", ""},
                {"{\"a\":\n\t5}", "{\"a\":\n\t5}"},
                {"\"\\u001b gr\xc3\xbcn \xf0\x9f\x90\x87\"",
                 "\"\\u001b gr\xc3\xbcn \xf0\x9f\x90\x87\""},
                {"\"\x7f\xc2\x80\xc2\x9f\xc2\xa0\"", "\"\\u007f\\u0080\\u009f\xc2\xa0\""},
                {"\"\\\\\xc2\x9bm\"", "\"\\\\\\u009bm\""},
                {"\"\xe2\x80\xae\"", "\"\\u202e\""},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER out = {0};
                show_json(&out, bytes_of_text(table[i].json));
                assert_true(bytes_equal_text(buffer_bytes(&out), table[i].want));
        }
}

static void test_width(void **state)
{
        static const struct {
                const char *text;
                unsigned want;
        } table[] = {
                {"", 0},          {"abc", 3},          {"\xc3\xa4", 1},
                {"e\xcc\x81", 1}, {"\xe6\x97\xa5", 2}, {"\xf0\x9f\x90\x87", 2},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                assert_int_equal(show_width(bytes_of_text(table[i].text)), table[i].want);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_render),
                cmocka_unit_test(test_show),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_width),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
