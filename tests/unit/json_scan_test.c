/* SPDX-License-Identifier: Apache-2.0
 *
 * json_scan_test.c: what is accepted, where faults are, and what is read from accepted text.
 */
#include "tests/unit/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_scan.h"

#define BYTES(literal) \
        { \
                .data = (literal), .length = sizeof(literal) - 1 \
        }

/* Runs on a copy of exact size, so that the sanitizer sees a read past its end. */
static int check_exact(struct bytes text, unsigned depth, struct scan_fault *fault)
{
        char *exact = malloc(text.length + 1);

        memcpy(exact + 1, text.data, text.length);
        int result = scan_check(bytes_of(exact + 1, text.length), depth, fault);
        free(exact);
        return result;
}

static void test_accepts(void **state)
{
        static const struct bytes table[] = {
                BYTES("null"),
                BYTES(" true\n"),
                BYTES("\t\r\nfalse "),
                BYTES("0"),
                BYTES("-0"),
                BYTES("-0.0e-0"),
                BYTES("1E+400"),
                BYTES("123456789012345678901234567890"),
                BYTES("0.1"),
                BYTES("\"\""),
                BYTES("\"\\u0000\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
                BYTES("\"\\ud83d\\udc07\""),
                BYTES("\"\\uD7FF\\uE000\""),
                BYTES("\"\xc3\xa4\xf4\x8f\xbf\xbf long enough for a whole word at once\""),
                BYTES("[]"),
                BYTES("[ ]"),
                BYTES("{ }"),
                BYTES("[[],{},[[]]]"),
                BYTES("{\"a\":{\"a\":{\"a\":[1,2,{\"a\":null}]}},\"b\":[],\"\":0}"),
                BYTES("[{\"a\":1},{\"a\":1}]"),
                BYTES("{\"a\":1,\"A\":2,\"\\u0061b\":3}"),
                BYTES("\"\x7f\""),
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct scan_fault f = {.detail = ""};
                if (check_exact(table[i], 64, &f) != 0)
                        fail_msg("case %zu: %s at %zu", i, f.detail, f.offset);
        }
}

struct refusal {
        struct bytes text;
        const char *pointer;
        unsigned line, column;
        const char *detail; /* part of it */
};

static void must_refuse(const struct refusal *r, size_t number)
{
        struct scan_fault f;

        if (check_exact(r->text, 64, &f) != -1)
                fail_msg("case %zu was accepted", number);
        if (strstr(f.detail, r->detail) == NULL)
                fail_msg("case %zu: '%s' lacks '%s'", number, f.detail, r->detail);
        if (strcmp(f.pointer, r->pointer) != 0 || f.line != r->line || f.column != r->column)
                fail_msg("case %zu: '%s' %u:%u, not '%s' %u:%u", number, f.pointer, f.line,
                         f.column, r->pointer, r->line, r->column);
}

static void test_refuses_syntax(void **state)
{
        static const struct refusal table[] = {
                {BYTES(""), "", 1, 1, "the text ends where a value"},
                {BYTES(" \n "), "", 2, 2, "the text ends where a value"},
                {BYTES("nul"), "", 1, 1, "'n' where a value"},
                {BYTES("nulls"), "", 1, 5, "'s' where the end of the text"},
                {BYTES("1 2"), "", 1, 3, "the end of the text"},
                {BYTES("\xef\xbb\xbf{}"), "", 1, 1, "byte order mark"},
                {BYTES("NaN"), "", 1, 1, "a value"},
                {BYTES("'a'"), "", 1, 1, "''' where a value"},
                {BYTES("+1"), "", 1, 1, "a value"},
                {BYTES("-"), "", 1, 2, "a digit"},
                {BYTES("01"), "", 1, 1, "leading zero"},
                {BYTES("-01"), "", 1, 2, "leading zero"},
                {BYTES("1."), "", 1, 3, "a digit"},
                {BYTES(".5"), "", 1, 1, "a value"},
                {BYTES("1e"), "", 1, 3, "a digit"},
                {BYTES("1e+x"), "", 1, 4, "a digit"},
                {BYTES("0x10"), "", 1, 2, "end of the text"},
                {BYTES("["), "/0", 1, 2, "a value"},
                {BYTES("]"), "", 1, 1, "a value"},
                {BYTES("[1"), "/0", 1, 3, "',' or ']'"},
                {BYTES("[1,]"), "/1", 1, 4, "']' where a value"},
                {BYTES("[1}"), "/0", 1, 3, "',' or ']'"},
                {BYTES("[,1]"), "/0", 1, 2, "a value"},
                {BYTES("{"), "", 1, 2, "a member's name"},
                {BYTES("{\"a\"}"), "/a", 1, 5, "a colon"},
                {BYTES("{\"a\":}"), "/a", 1, 6, "a value"},
                {BYTES("{\"a\":1,}"), "/a", 1, 8, "a member's name"},
                {BYTES("{\"a\":1 \"b\":2}"), "/a", 1, 8, "',' or '}'"},
                {BYTES("{a:1}"), "", 1, 2, "a member's name"},
                {BYTES("{1:1}"), "", 1, 2, "a member's name"},
                {BYTES("{\"a\":[1,\n {\"b/~\":tru}]}"), "/a/1/b~1~0", 2, 9, "a value"},
                {BYTES("[1,2] // c"), "", 1, 7, "end of the text"},
                {BYTES("[1,\0]"), "/1", 1, 4, "byte 0x00"},
                {BYTES("1\0"), "", 1, 2, "byte 0x00"},
                {BYTES("\v1"), "", 1, 1, "byte 0x0b"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                must_refuse(&table[i], i);
}

static void test_refuses_strings(void **state)
{
        static const struct refusal table[] = {
                {BYTES("\"abc"), "", 1, 1, "does not end"},
                {BYTES("\"abcdefghijklmnop"), "", 1, 1, "does not end"},
                {BYTES("\"\\"), "", 1, 2, "within an escape"},
                {BYTES("\"\\\""), "", 1, 1, "does not end"},
                {BYTES("\"\\x\""), "", 1, 2, "unknown escape"},
                {BYTES("\"\\\0\""), "", 1, 2, "unknown escape"},
                {BYTES("\"\\u12\""), "", 1, 2, "four hexadecimal"},
                {BYTES("\"\\u12g4\""), "", 1, 2, "four hexadecimal"},
                {BYTES("\"\\u"), "", 1, 2, "four hexadecimal"},
                {BYTES("\"\\ud800\""), "", 1, 2, "half of a surrogate pair"},
                {BYTES("\"\\udc00\""), "", 1, 2, "half of a surrogate pair"},
                {BYTES("\"\\ud800\\ud800\""), "", 1, 2, "half of a surrogate pair"},
                {BYTES("\"\\ud800\\n\""), "", 1, 2, "half of a surrogate pair"},
                {BYTES("\"\\ud800\\u"), "", 1, 2, "half of a surrogate pair"},
                {BYTES("\"a\nb\""), "", 1, 3, "control character"},
                {BYTES("\"12345678\0\""), "", 1, 10, "control character"},
                {BYTES("\"\x1f\""), "", 1, 2, "control character"},
                {BYTES("\"\xc0\x80\""), "", 1, 2, "not UTF-8"},
                {BYTES("\"\xed\xa0\x80\""), "", 1, 2, "not UTF-8"},
                {BYTES("\"\xf5\x80\x80\x80\""), "", 1, 2, "not UTF-8"},
                {BYTES("\"\xc3\xa4\xc3\""), "", 1, 3, "not UTF-8"},
                {BYTES("\"\xe2\x82"), "", 1, 2, "not UTF-8"},
                {BYTES("{\"\xff\":1}"), "", 1, 3, "not UTF-8"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                must_refuse(&table[i], i);
}

static void test_refuses_duplicates(void **state)
{
        static const struct refusal table[] = {
                {BYTES("{\"a\":1,\"a\":1}"), "/a", 1, 8, "exists already"},
                {BYTES("{\"a\":1,\"\\u0061\":1}"), "/a", 1, 8, "exists already"},
                {BYTES("{\"\\u0061\":1,\n\"a\":1}"), "/a", 2, 1, "exists already"},
                {BYTES("{\"\":1,\"\":1}"), "/", 1, 7, "exists already"},
                {BYTES("{\"\\ud83d\\udc07\":1,\"\xf0\x9f\x90\x87\":1}"), "/\xf0\x9f\x90\x87", 1, 19,
                 "exists already"},
                {BYTES("[{\"x\":{\"b\":{},\"c\":[],\"b\":0}}]"), "/0/x/b", 1, 22, "exists already"},
                {BYTES("{\"\\/\":1,\"/\":1}"), "/~1", 1, 9, "exists already"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++)
                must_refuse(&table[i], i);
}

/* `count` members, then one more with the given name. */
static void many_members(struct buffer *out, int count, const char *last)
{
        buffer_add_char(out, '{');
        for (int i = 0; i < count; i++)
                buffer_printf(out, "\"k%d\":{\"k%d\":%d},", i, i, i);
        buffer_printf(out, "\"%s\":0}", last);
}

static void test_large_objects(void **state)
{
        static const struct {
                int count;
                const char *last;
                int want;
        } table[] = {
                {15, "k", 0},    {15, "k14", -1},       {16, "k0", -1},          {16, "k", 0},
                {17, "k16", -1}, {100, "k", 0},         {100, "k0", -1},         {100, "k99", -1},
                {20000, "k", 0}, {20000, "k19999", -1}, {20000, "\\u006b7", -1},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER text = {0};
                struct scan_fault f;
                many_members(&text, table[i].count, table[i].last);
                assert_int_equal(check_exact(buffer_bytes(&text), 64, &f), table[i].want);
                if (table[i].want < 0)
                        assert_int_equal(f.offset, text.length - strlen(table[i].last) - 5);
        }
}

static void test_first_of_many_duplicates_is_named(void **state)
{
        AUTO_BUFFER text = {0};
        struct scan_fault f;

        (void)state;
        buffer_add_char(&text, '{');
        for (int i = 0; i < 40; i++)
                buffer_printf(&text, "\"k%02d\":0,\n", i);
        buffer_add_text(&text, "\"k30\":1,\n\"k20\":2,\"k30\":3}");
        assert_int_equal(check_exact(buffer_bytes(&text), 64, &f), -1);
        assert_int_equal(f.line, 41);
        assert_string_equal(f.pointer, "/k30");
}

static void nested(struct buffer *out, int depth)
{
        for (int i = 0; i < depth; i++)
                buffer_add_char(out, '[');
        for (int i = 0; i < depth; i++)
                buffer_add_char(out, ']');
}

static void test_depth(void **state)
{
        static const struct {
                int depth;
                unsigned max;
                int want;
        } table[] = {
                {1, 1, 0},
                {2, 1, -1},
                {64, 64, 0},
                {72, SCAN_DEPTH_WRAPPED, 0},
                {73, SCAN_DEPTH_WRAPPED, -1},
                {65, 64, -1},
                {10000, 64, -1},
                {500000, 64, -1},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER text = {0};
                struct scan_fault f;
                nested(&text, table[i].depth);
                assert_int_equal(check_exact(buffer_bytes(&text), table[i].max, &f), table[i].want);
                if (table[i].want < 0) {
                        assert_int_equal(f.offset, table[i].max);
                        assert_non_null(strstr(f.detail, "levels deep"));
                }
        }
        struct scan_fault f;
        assert_int_equal(scan_check(bytes_of_text("3"), 1, &f), 0);
}

static void test_long_pointer_is_cut_in_front(void **state)
{
        AUTO_BUFFER text = {0};
        struct scan_fault f;

        (void)state;
        for (int i = 0; i < 60; i++)
                buffer_printf(&text, "{\"\xc3\xa4%d-%02d\":", i % 3, i);
        buffer_add_text(&text, "x");
        assert_int_equal(check_exact(buffer_bytes(&text), 64, &f), -1);
        assert_true(strlen(f.pointer) < SCAN_POINTER_SIZE);
        assert_true(bytes_are_utf8(bytes_of_text(f.pointer)));
        assert_memory_equal(f.pointer, "\xe2\x80\xa6", 3);
        assert_non_null(strstr(f.pointer, "/\xc3\xa4"
                                          "1-58/\xc3\xa4"
                                          "2-59"));
}

static void test_pointer_with_nul_is_a_string(void **state)
{
        struct scan_fault f;

        (void)state;
        assert_int_equal(scan_check(bytes_of_text("{\"a\\u0000b\":x}"), 64, &f), -1);
        assert_string_equal(f.pointer, "/a b");
}

static struct scan_value root_of(const char *text)
{
        struct scan_fault f;

        assert_int_equal(scan_check(bytes_of_text(text), 64, &f), 0);
        return scan_root(bytes_of_text(text));
}

static void test_walk(void **state)
{
        static const struct {
                const char *key, *raw;
                enum scan_kind kind;
        } want[] = {
                {"a", "1.0", SCAN_NUMBER},
                {"b\\\"", "\"x\\\\\"", SCAN_STRING},
                {"c", "[1, {\"]\":\"}\"}, \"\\\"]\"]", SCAN_ARRAY},
                {"", "{}", SCAN_OBJECT},
                {"d", "null", SCAN_NULL},
                {"e", "true", SCAN_TRUE},
                {"f", "false", SCAN_FALSE},
        };
        struct scan_item item;
        size_t i = 0;

        (void)state;
        struct scan_value root =
                root_of(" {\"a\" : 1.0 ,\"b\\\"\":\"x\\\\\",\"c\":[1, {\"]\":\"}\"}, \"\\\"]\"],\n"
                        "\"\":{}, \"d\":null,\"e\":true,\"f\":false\n} ");
        for (struct scan_cursor c = scan_items(root); scan_next(&c, &item); i++) {
                assert_true(i < COUNT(want));
                assert_true(bytes_equal_text(item.key, want[i].key));
                assert_true(bytes_equal_text(item.value.raw, want[i].raw));
                assert_int_equal(item.value.kind, want[i].kind);
        }
        assert_int_equal(i, COUNT(want));
}

static void test_walk_array(void **state)
{
        struct scan_item item;
        int count = 0;

        (void)state;
        struct scan_value root = root_of("[1,[2,3],\"4\" , {}]");
        for (struct scan_cursor c = scan_items(root); scan_next(&c, &item); count++)
                assert_null(item.key.data);
        assert_int_equal(count, 4);
        const char *empty[] = {"[]", "[ ]", "{}", "{\n}", "1", "\"x\""};
        for (size_t i = 0; i < COUNT(empty); i++) {
                struct scan_cursor c = scan_items(root_of(empty[i]));
                assert_false(scan_next(&c, &item));
                assert_false(scan_next(&c, &item));
        }
}

static void test_find(void **state)
{
        struct scan_value found;
        struct scan_value root = root_of("{\"x\":{\"key\":1},\"k\\u0065y\":2,\"\\\\n\":3}");

        (void)state;
        assert_true(scan_find(root, "key", &found));
        assert_true(bytes_equal_text(found.raw, "2"));
        assert_true(scan_find(root, "\\n", &found));
        assert_true(bytes_equal_text(found.raw, "3"));
        assert_false(scan_find(root, "ke", &found));
        assert_false(scan_find(root, "keys", &found));
        assert_false(scan_find(root_of("[1]"), "key", &found));
}

static void test_strings(void **state)
{
        static const struct {
                const char *text;
                struct bytes want;
        } table[] = {
                {"\"\"", BYTES("")},
                {"\"plain\"", BYTES("plain")},
                {"\"\\u0000a\\u00e4\\u20ac\\ud83d\\udC07\"",
                 BYTES("\0a\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x87")},
                {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", BYTES("\"\\/\b\f\n\r\t")},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER out = {0};
                scan_string(root_of(table[i].text), &out);
                assert_true(bytes_equal(buffer_bytes(&out), table[i].want));
        }
}

static void test_numbers(void **state)
{
        static const struct {
                const char *text;
                bool is_int;
                int64_t want;
                double real;
        } table[] = {
                {"0", true, 0, 0},
                {"-0", true, 0, 0},
                {"9223372036854775807", true, INT64_MAX, 9223372036854775807.0},
                {"9223372036854775808", false, 0, 9223372036854775808.0},
                {"-9223372036854775808", true, INT64_MIN, -9223372036854775808.0},
                {"-9223372036854775809", false, 0, -9223372036854775808.0},
                {"1.0", false, 0, 1},
                {"1e3", false, 0, 1000},
                {"0.1", false, 0, 0.1},
                {"1e999", false, 0, (double)INFINITY},
                {"100000000000000000000000000000000000000000000000000000000000000000000000", false,
                 0, 1e71},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                int64_t got = 0;
                struct scan_value v = root_of(table[i].text);
                assert_int_equal(scan_int(v, &got), table[i].is_int);
                if (table[i].is_int)
                        assert_true(got == table[i].want);
                assert_true(scan_real(v) == table[i].real);
        }
        int64_t unused;
        assert_false(scan_int(root_of("\"1\""), &unused));
        assert_false(scan_int(root_of("[1]"), &unused));
}

static void test_locate(void **state)
{
        const char *text = "{\n \"\xc3\xa4\": x";
        unsigned line, column;

        (void)state;
        scan_locate(bytes_of_text(text), strchr(text, 'x'), &line, &column);
        assert_int_equal(line, 2);
        assert_int_equal(column, 7);
}

static void test_huge_texts(void **state)
{
        AUTO_BUFFER flat = {0};
        struct scan_fault f;
        struct scan_item item;
        size_t count = 0;

        (void)state;
        buffer_add_char(&flat, '[');
        for (int i = 0; i < 250000; i++)
                buffer_add_text(&flat, i == 0 ? "[[]]" : ",[]");
        buffer_add_char(&flat, ']');
        assert_int_equal(check_exact(buffer_bytes(&flat), 64, &f), 0);
        struct scan_cursor c = scan_items(scan_root(buffer_bytes(&flat)));
        while (scan_next(&c, &item))
                count++;
        assert_int_equal(count, 250000);

        AUTO_BUFFER digits = {0};
        for (int i = 0; i < 1 << 20; i++)
                buffer_add_char(&digits, '9');
        assert_int_equal(check_exact(buffer_bytes(&digits), 64, &f), 0);
        assert_true(isinf(scan_real(scan_root(buffer_bytes(&digits)))));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_accepts),
                cmocka_unit_test(test_refuses_syntax),
                cmocka_unit_test(test_refuses_strings),
                cmocka_unit_test(test_refuses_duplicates),
                cmocka_unit_test(test_large_objects),
                cmocka_unit_test(test_first_of_many_duplicates_is_named),
                cmocka_unit_test(test_depth),
                cmocka_unit_test(test_long_pointer_is_cut_in_front),
                cmocka_unit_test(test_pointer_with_nul_is_a_string),
                cmocka_unit_test(test_walk),
                cmocka_unit_test(test_walk_array),
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_strings),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_locate),
                cmocka_unit_test(test_huge_texts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
