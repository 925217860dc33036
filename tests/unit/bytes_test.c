/* SPDX-License-Identifier: Apache-2.0
 *
 * bytes_test.c: comparing, UTF-8, and the growable buffer.
 */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"

#define BYTES(literal) \
        { \
                .data = (literal), .length = sizeof(literal) - 1 \
        }

static void test_absent_and_empty(void **state)
{
        (void)state;
        assert_null(bytes_of_text(NULL).data);
        assert_int_equal(bytes_of_text(NULL).length, 0);
        assert_non_null(bytes_of_text("").data);
        assert_true(bytes_equal(bytes_of_text(NULL), bytes_of_text("")));
        assert_true(bytes_equal_text(bytes_of_text("ab"), "ab"));
        assert_false(bytes_equal_text(bytes_of_text("ab"), "abc"));
}

static void test_compare(void **state)
{
        static const struct {
                const char *a, *b;
                int want;
        } table[] = {
                {"", "", 0},   {"", "a", -1},   {"a", "", 1},          {"a", "b", -1},
                {"b", "a", 1}, {"a", "ab", -1}, {"a", "\xc3\xa4", -1},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                int got = bytes_compare(bytes_of_text(table[i].a), bytes_of_text(table[i].b));
                assert_int_equal((got > 0) - (got < 0), table[i].want);
        }
}

static void test_utf8(void **state)
{
        static const struct {
                struct bytes text;
                bool want;
        } table[] = {
                {BYTES(""), true},
                {BYTES("plain"), true},
                {BYTES("a\0b"), true},
                {BYTES("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x87"), true},
                {BYTES("\xf4\x8f\xbf\xbf"), true},
                {BYTES("\xf4\x90\x80\x80"), false},
                {BYTES("\xc0\x80"), false},
                {BYTES("\xc1\xbf"), false},
                {BYTES("\xe0\x9f\xbf"), false},
                {BYTES("\xf0\x8f\xbf\xbf"), false},
                {BYTES("\xed\xa0\x80"), false},
                {BYTES("\xed\x9f\xbf"), true},
                {BYTES("\x80"), false},
                {BYTES("\xc3"), false},
                {BYTES("\xe2\x82"), false},
                {BYTES("\xf0\x9f\x90"), false},
                {BYTES("\xff"), false},
                {BYTES("\xc3("), false},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                /* A copy of exact size, so that the sanitizer sees a read past its end. */
                char *exact = malloc(table[i].text.length + 1);
                memcpy(exact + 1, table[i].text.data, table[i].text.length);
                assert_int_equal(bytes_are_utf8(bytes_of(exact + 1, table[i].text.length)),
                                 table[i].want);
                free(exact);
        }
}

static void test_to_text(void **state)
{
        char out[4];

        (void)state;
        assert_int_equal(bytes_to_text(bytes_of_text("abc"), out, sizeof(out)), 0);
        assert_string_equal(out, "abc");
        assert_int_equal(bytes_to_text(bytes_of_text("abcd"), out, sizeof(out)), -1);
        assert_string_equal(out, "");
        assert_int_equal(bytes_to_text(bytes_of("a\0b", 3), out, sizeof(out)), -1);
        assert_int_equal(bytes_to_text(bytes_of_text(NULL), out, sizeof(out)), 0);
        assert_string_equal(out, "");
}

static void test_hash(void **state)
{
        (void)state;
        assert_true(bytes_hash(bytes_of_text("")) == UINT64_C(0xcbf29ce484222325));
        assert_true(bytes_hash(bytes_of_text("foobar")) == UINT64_C(0x85944171f73967e8));
}

static void test_digest(void **state)
{
        const char text[] = "every byte of it counts, and where it ends";
        char other[sizeof(text)];

        (void)state;
        for (size_t length = 0; length < sizeof(text); length++) {
                uint64_t digest = bytes_digest(1, bytes_of(text, length));
                assert_true(digest == bytes_digest(1, bytes_of(text, length)));
                assert_true(digest != bytes_digest(2, bytes_of(text, length)));
                assert_true(digest != bytes_digest(1, bytes_of(text, length + 1)));
                for (size_t at = 0; at < length; at++) {
                        memcpy(other, text, sizeof(text));
                        other[at] ^= 1;
                        assert_true(digest != bytes_digest(1, bytes_of(other, length)));
                }
        }
}

static void test_buffer_grows(void **state)
{
        AUTO_BUFFER b = {0};

        (void)state;
        assert_int_equal(buffer_bytes(&b).length, 0);
        assert_non_null(buffer_bytes(&b).data);
        for (int i = 0; i < 1000; i++)
                buffer_printf(&b, "%d,", i);
        assert_int_equal(b.length, 3890);
        assert_memory_equal(b.data + b.length - 4, "999,", 5);
        buffer_drop(&b, 2);
        assert_memory_equal(b.data, "1,2,", 4);
        buffer_drop(&b, b.length);
        assert_string_equal(b.data, "");
        buffer_add_text(&b, "x");
        buffer_clear(&b);
        assert_int_equal(b.length, 0);
        assert_string_equal(b.data, "");
}

static void test_buffer_printf_longer_than_room(void **state)
{
        AUTO_BUFFER b = {0};
        char text[500];

        (void)state;
        memset(text, 'y', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        buffer_printf(&b, "<%s>", text);
        assert_int_equal(b.length, 501);
        assert_int_equal(b.data[500], '>');
}

static void test_buffer_take(void **state)
{
        AUTO_BUFFER b = {0};

        (void)state;
        char *nothing = buffer_take(&b);
        assert_string_equal(nothing, "");
        free(nothing);
        buffer_add_text(&b, "kept");
        char *text = buffer_take(&b);
        assert_string_equal(text, "kept");
        assert_null(b.data);
        free(text);
}

static void test_json_string(void **state)
{
        static const struct {
                struct bytes text;
                const char *want;
        } table[] = {
                {BYTES(""), "\"\""},
                {BYTES("a"), "\"a\""},
                {BYTES("\"\\/"), "\"\\\"\\\\/\""},
                {BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
                {BYTES("\x01\x1f\0"), "\"\\u0001\\u001f\\u0000\""},
                {BYTES("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\""},
                {BYTES("a\xff"
                       "b\xc3"),
                 "\"a\xef\xbf\xbd"
                 "b\xef\xbf\xbd\""},
                {{NULL, 0}, "\"\""},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER b = {0};
                buffer_add_json_string(&b, table[i].text);
                assert_string_equal(b.data, table[i].want);
        }
}

static void test_base64(void **state)
{
        static const struct {
                struct bytes data;
                const char *want;
        } table[] = {
                {BYTES(""), ""},        {BYTES("f"), "Zg=="},          {BYTES("fo"), "Zm8="},
                {BYTES("foo"), "Zm9v"}, {BYTES("foobar"), "Zm9vYmFy"}, {BYTES("\0\xff"), "AP8="},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER b = {0};
                buffer_add_text(&b, "=");
                buffer_add_base64(&b, table[i].data);
                assert_string_equal(b.data + 1, table[i].want);
                assert_int_equal(b.length, 1 + strlen(table[i].want));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_absent_and_empty),
                cmocka_unit_test(test_compare),
                cmocka_unit_test(test_utf8),
                cmocka_unit_test(test_to_text),
                cmocka_unit_test(test_hash),
                cmocka_unit_test(test_digest),
                cmocka_unit_test(test_buffer_grows),
                cmocka_unit_test(test_buffer_printf_longer_than_room),
                cmocka_unit_test(test_buffer_take),
                cmocka_unit_test(test_json_string),
                cmocka_unit_test(test_base64),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
