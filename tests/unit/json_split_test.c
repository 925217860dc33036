/* SPDX-License-Identifier: Apache-2.0
 *
 * json_split_test.c: which elements come out of a text, wherever it is cut into pieces.
 */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/json_split.h"

enum { ELEMENT_MAX = 32 };

/* What came out, as text: "index@line:column<text>" for an element, "index@line:column-" for one
 * that is too large; then "." for the end, or "!line:column pointer detail". */
static void write_step(const struct json_split *s, enum split_step step, struct buffer *out)
{
        const struct split_element *x = &s->element;

        if (step == SPLIT_DONE)
                buffer_add_text(out, ".");
        else if (step == SPLIT_BROKEN)
                buffer_printf(out, "!%u:%u %s %s", s->fault.line, s->fault.column, s->fault.pointer,
                              s->fault.detail);
        else
                buffer_printf(out, "%zu@%u:%u", x->index, x->line, x->column);
        if (step == SPLIT_ELEMENT)
                buffer_printf(out, "<%.*s>", (int)x->text.length, x->text.data);
        if (step == SPLIT_TOO_LARGE)
                buffer_add_char(out, '-');
}

static bool is_element(enum split_step step)
{
        return step == SPLIT_ELEMENT || step == SPLIT_TOO_LARGE;
}

/* Feeds a copy of exact size, so that the sanitizer sees a read past its end. */
static bool feed(struct json_split *s, struct bytes piece, struct buffer *out)
{
        char *exact = malloc(piece.length + 1);
        enum split_step step;
        size_t used = 0;

        memcpy(exact + 1, piece.data, piece.length);
        struct bytes rest = bytes_of(exact + 1, piece.length);
        while (is_element(step = json_split_feed(s, rest, &used))) {
                assert_true(used <= rest.length);
                rest = bytes_of(rest.data + used, rest.length - used);
                write_step(s, step, out);
        }
        if (step == SPLIT_BROKEN)
                write_step(s, step, out);
        else
                assert_int_equal(used, rest.length);
        free(exact);
        return step == SPLIT_NEED;
}

static void split(enum split_form form, const struct bytes *pieces, size_t count,
                  struct buffer *out)
{
        struct json_split s;
        bool whole = true;
        enum split_step step;

        json_split_init(&s, form, ELEMENT_MAX);
        for (size_t i = 0; i < count && whole; i++)
                whole = feed(&s, pieces[i], out);
        if (whole) {
                do {
                        step = json_split_end(&s);
                        write_step(&s, step, out);
                } while (is_element(step));
        }
        assert_true(s.kept.size <= 8 * ELEMENT_MAX);
        json_split_fini(&s);
}

/* Whole, in two pieces cut at each byte, and byte by byte. */
static void check(enum split_form form, struct bytes text, const char *want)
{
        struct bytes *bytes = calloc(text.length + 1, sizeof(*bytes));

        for (size_t i = 0; i < text.length; i++)
                bytes[i] = bytes_of(text.data + i, 1);
        for (size_t cut = 0; cut <= text.length + 1; cut++) {
                AUTO_BUFFER got = {0};
                if (cut <= text.length) {
                        const struct bytes two[] = {bytes_of(text.data, cut),
                                                    bytes_of(text.data + cut, text.length - cut)};
                        split(form, two, 2, &got);
                } else {
                        split(form, bytes, text.length, &got);
                }
                if (!bytes_equal_text(buffer_bytes(&got), want))
                        fail_msg("%s\ncut at %zu: %s\nwant %s", text.data, cut, got.data, want);
        }
        free(bytes);
}

struct split_case {
        const char *text, *want;
};

static void test_array(void **state)
{
        static const struct split_case table[] = {
                {"[]", "."},
                {" \t\r\n[ \n] \n", "."},
                {"[{}]", "0@1:2<{}>."},
                {"[{\"a\":[1,{\"]\":\"}\"}]},\n {\"b\":2} ]\n", "0@1:2<{\"a\":[1,{\"]\":\"}\"}]}>"
                                                                "1@2:2<{\"b\":2}>."},
                {"[\"\\\"]\", \"\\\\\",\"\"]", "0@1:2<\"\\\"]\">1@1:9<\"\\\\\">2@1:14<\"\">."},
                {"[1,-2.5e3 ,true\n,[ ] ]", "0@1:2<1>1@1:4<-2.5e3>2@1:12<true>3@2:2<[ ]>."},
                {"[\"\xc3\xa4\xc3\xb6\",{}]", "0@1:2<\"\xc3\xa4\xc3\xb6\">1@1:7<{}>."},
                /* Bad elements: scan_check refuses them, the next go on. */
                {"[{\"a\" 1},{]},x:y,}]",
                 "0@1:2<{\"a\" 1}>1@1:10<{]>!1:12  ',' or ']' should be here"},
                {"[nope,1:2,{}]", "0@1:2<nope>1@1:7<1:2>2@1:11<{}>."},
                {"[{\"a\":[1},{}]", "0@1:2<{\"a\":[1},{}]>!1:14  the text ends where ',' or ']' "
                                    "should be"},
                /* Broken ones. */
                {"", "!1:1  the text ends where '[' should be"},
                {" \n", "!2:1  the text ends where '[' should be"},
                {"{}", "!1:1  '[' should be here"},
                {"\xef\xbb\xbf[]",
                 "!1:1  the text begins with a byte order mark (byte 0xef): write "
                 "it as UTF-8 without one"},
                {"[", "!1:2  the text ends where an element should be"},
                {"[,1]", "!1:2  an element should be here"},
                {"[1,]", "0@1:2<1>!1:4  an element should be here"},
                {"[1,,2]", "0@1:2<1>!1:4  an element should be here"},
                {"[1 2]", "0@1:2<1>!1:4  ',' or ']' should be here"},
                {"[1{}]", "0@1:2<1>!1:3  ',' or ']' should be here"},
                {"[{}{}]", "0@1:2<{}>!1:4  ',' or ']' should be here"},
                {"[{}", "0@1:2<{}>!1:4  the text ends where ',' or ']' should be"},
                {"[1,23", "0@1:2<1>!1:6 /1 the text ends where ',' or ']' should be"},
                {"[1,\n{\"a\":", "0@1:2<1>!2:6 /1 the text ends within an element"},
                {"[1,\"x\\", "0@1:2<1>!1:7 /1 the text ends within an element"},
                {"[]]", "!1:3  the text should end here"},
                {"[]\n[]", "!2:1  the text should end here"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                check(SPLIT_ARRAY, bytes_of_text(table[i].text), table[i].want);
}

static void test_lines(void **state)
{
        static const struct split_case table[] = {
                {"", "."},
                {" \n\r\n\t\n", "."},
                {"{}\n", "0@1:1<{}>."},
                {"{}", "0@1:1<{}>."},
                {"{}\r", "0@1:1<{}>."},
                {"{\"a\":1}\r\n\n  {\"b\":2} \n{\"c\"",
                 "0@1:1<{\"a\":1}>1@3:3<{\"b\":2}>2@4:1<{\"c\">."},
                {"{\"a\":\"\\n\"}\nnope\n[1,2] 3\n\"",
                 "0@1:1<{\"a\":\"\\n\"}>1@2:1<nope>2@3:1<[1,2] 3>"
                 "3@4:1<\">."},
                {"{}{}\n{}", "0@1:1<{}{}>1@2:1<{}>."},
                {"{\r}\n", "0@1:1<{\r}>."},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                check(SPLIT_LINES, bytes_of_text(table[i].text), table[i].want);
}

#define TEN "0123456789"
/* A string of 32 bytes. */
#define FULL "\"" TEN TEN TEN "\""

static void test_too_large(void **state)
{
        static const struct split_case arrays[] = {
                {"[" FULL "]", "0@1:2<" FULL ">."},
                {"[ " FULL " ," TEN TEN TEN "12 ]", "0@1:3<" FULL ">1@1:37<" TEN TEN TEN "12>."},
                {"[1,{\"a\":[\"" TEN "]}\\\"" TEN TEN "\"]},{}]", "0@1:2<1>1@1:4-2@1:49<{}>."},
                {"[" TEN TEN TEN "123]", "0@1:2-."},
                {"[\"" TEN TEN TEN TEN TEN, "!1:53 /0 the text ends within an element"},
        };
        static const struct split_case lines[] = {
                {FULL "\r\n" FULL "\n", "0@1:1<" FULL ">1@2:1<" FULL ">."},
                {TEN TEN TEN "123\n{}\n", "0@1:1-1@2:1<{}>."},
                {"{}\n" TEN TEN TEN TEN, "0@1:1<{}>1@2:1-."},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(arrays); i++)
                check(SPLIT_ARRAY, bytes_of_text(arrays[i].text), arrays[i].want);
        for (size_t i = 0; i < COUNT(lines); i++)
                check(SPLIT_LINES, bytes_of_text(lines[i].text), lines[i].want);
}

/* A text that was cut off is not ended: its last line is no element, even if it looks whole. */
static void test_cut_off(void **state)
{
        struct json_split s;
        AUTO_BUFFER got = {0};

        (void)state;
        json_split_init(&s, SPLIT_LINES, ELEMENT_MAX);
        assert_true(feed(&s, bytes_of_text("{\"a\":1}\n{\"b\":2}"), &got));
        json_split_fini(&s);
        assert_string_equal(got.data, "0@1:1<{\"a\":1}>");
}

/* A NUL is a byte as others. The text as written here ends at it. */
static void test_nul(void **state)
{
        (void)state;
        check(SPLIT_ARRAY, bytes_of("[\0,{\0}]", 7), "0@1:2<>1@1:4<{>.");
}

static void test_locate(void **state)
{
        static const struct {
                struct split_element element;
                struct scan_fault fault;
                const char *pointer;
                unsigned line, column;
                size_t offset;
        } table[] = {
                {{.index = 3, .offset = 100, .line = 5, .column = 7},
                 {.pointer = "/type", .offset = 2, .line = 1, .column = 3},
                 "/3/type",
                 5,
                 9,
                 102},
                {{.index = 0, .offset = 1, .line = 1, .column = 2},
                 {.pointer = "", .offset = 9, .line = 2, .column = 4},
                 "/0",
                 2,
                 4,
                 10},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct scan_fault f = table[i].fault;
                split_element_locate(&table[i].element, &f);
                assert_string_equal(f.pointer, table[i].pointer);
                assert_int_equal(f.line, table[i].line);
                assert_int_equal(f.column, table[i].column);
                assert_int_equal(f.offset, table[i].offset);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_array),     cmocka_unit_test(test_lines),
                cmocka_unit_test(test_too_large), cmocka_unit_test(test_cut_off),
                cmocka_unit_test(test_nul),       cmocka_unit_test(test_locate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
