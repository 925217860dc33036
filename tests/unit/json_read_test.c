/* SPDX-License-Identifier: Apache-2.0
 *
 * json_read_test.c: objects read by a table, and where a refusal points.
 */
#include <string.h>

#include "common/base/json_read.h"
#include "tests/unit/unit.h"

struct inner {
        int64_t x;
        bool on;
};

struct record {
        char name[8];
        int64_t count;
        double share;
        int64_t at;
        struct bytes text, raw;
        struct inner inner;
        unsigned elements;
};

static int count_element(struct json_reader *r, const struct json_place *p, void *out)
{
        if (p->value.kind != SCAN_NUMBER)
                return json_refuse(r, p, "must be a number");
        (*(unsigned *)out)++;
        return 0;
}

static int read_word(struct json_reader *r, const struct json_place *p, void *out)
{
        (void)out;
        return bytes_equal_text(p->value.raw, "\"yes\"") ? 0 : json_refuse_form(r, p);
}

static const struct json_member inner_members[] = {
        {"x", json_read_int, JSON_AT(struct inner, x), .least = -1, .most = 5,
         .flags = JSON_REQUIRED},
        {"on/off", json_read_flag, JSON_AT(struct inner, on)},
        {0},
};

static const struct json_member members[] = {
        {"name", json_read_copy, JSON_AT(struct record, name), .flags = JSON_REQUIRED},
        {"count", json_read_int, JSON_AT(struct record, count), .least = INT64_MIN,
         .most = (int64_t)1 << 53},
        {"share", json_read_real, JSON_AT(struct record, share), .most = 1},
        {"at", json_read_time, JSON_AT(struct record, at), .flags = JSON_NULLABLE},
        {"text", json_read_bytes, JSON_AT(struct record, text)},
        {"raw", json_read_raw, JSON_AT(struct record, raw)},
        {"inner", json_read_object, JSON_AT(struct record, inner), .members = inner_members},
        {"list", json_read_list, JSON_AT(struct record, elements), .each = count_element},
        {"map", json_read_map, JSON_AT(struct record, elements), .each = count_element},
        {"word", read_word, .form = "must be \"yes\""},
        {"name2", json_read_copy, JSON_AT(struct record, name), .flags = JSON_NULLABLE,
         .form = "must be short"},
        {0},
};

static int read(struct bytes text, struct json_reader *r, struct record *out)
{
        struct json_place root;

        memset(out, 0, sizeof(*out));
        if (json_read_open(r, text, 4, &root) != 0)
                return 1;
        return json_read_members(r, &root, members, out);
}

static void fills_the_struct(void **state)
{
        AUTO_BUFFER scratch = {0};
        struct json_reader r = {.scratch = &scratch};
        struct record got;
        static const char text[] =
                " {\"raw\": [1, 1.50 ],\"\\u006eame\":\"R\\u0065x\",\"count\":-9223372036854775808,"
                "\"share\":0.25,\"at\":\"1970-01-01T00:00:01Z\",\"text\":"
                "\"a\\u0000\\n\\ud83d\\ude00"
                "\",\"inner\":{\"on\\/off\":true,\"x\":-1},\"list\":[1,2,3],\"word\":\"yes\","
                "\"name2\":null} ";

        (void)state;
        assert_int_equal(read(bytes_of_text(text), &r, &got), 0);
        assert_string_equal(got.name, "Rex");
        assert_true(got.count == INT64_MIN && got.share == 0.25 && got.at == 1000);
        assert_true(bytes_equal(got.text, bytes_of("a\0\n\xF0\x9F\x98\x80", 7)));
        assert_true(bytes_equal_text(got.raw, "[1, 1.50 ]"));
        assert_true(got.inner.on && got.inner.x == -1);
        assert_int_equal(got.elements, 3);
        assert_int_equal(r.unknown, 0);
}

static void what_is_not_given_stays(void **state)
{
        struct json_reader r = {0};
        struct json_place root;
        struct record got = {.count = 7, .at = 8};

        (void)state;
        assert_int_equal(
                json_read_open(&r, bytes_of_text("{\"name\":\"a\",\"at\":null}"), 1, &root), 0);
        assert_int_equal(json_read_members(&r, &root, members, &got), 0);
        assert_true(got.count == 7 && got.at == 8);
}

/* Texts in scratch stay in place while more texts are added. */
static void scratch_holds_many_texts(void **state)
{
        enum { COUNT_OF_TEXTS = 8, LENGTH = 500 };
        static const struct json_member table[] = {
                {"0", json_read_bytes, .offset = 0},
                {"1", json_read_bytes, .offset = sizeof(struct bytes)},
                {"2", json_read_bytes, .offset = 2 * sizeof(struct bytes)},
                {"3", json_read_bytes, .offset = 3 * sizeof(struct bytes)},
                {"4", json_read_bytes, .offset = 4 * sizeof(struct bytes)},
                {"5", json_read_bytes, .offset = 5 * sizeof(struct bytes)},
                {"6", json_read_bytes, .offset = 6 * sizeof(struct bytes)},
                {"7", json_read_bytes, .offset = 7 * sizeof(struct bytes)},
                {0},
        };
        AUTO_BUFFER scratch = {0}, text = {0};
        struct json_reader r = {.scratch = &scratch};
        struct json_place root;
        struct bytes got[COUNT_OF_TEXTS];

        (void)state;
        for (int i = 0; i < COUNT_OF_TEXTS; i++) {
                buffer_printf(&text, "%s\"%d\":\"\\n", i == 0 ? "{" : ",", i);
                for (int n = 0; n < LENGTH; n++)
                        buffer_add_char(&text, (char)('a' + i));
                buffer_add_char(&text, '"');
        }
        buffer_add_char(&text, '}');
        assert_int_equal(json_read_open(&r, buffer_bytes(&text), 1, &root), 0);
        assert_int_equal(json_read_members(&r, &root, table, got), 0);
        for (int i = 0; i < COUNT_OF_TEXTS; i++) {
                assert_int_equal(got[i].length, LENGTH + 1);
                assert_true(got[i].data[0] == '\n' && got[i].data[LENGTH] == 'a' + i);
        }
}

#define KNOWN \
        "unknown member; known: name, count, share, at, text, raw, inner, list, map, word, name2"

static const struct {
        const char *text;
        const char *want_pointer;
        unsigned want_line, want_column;
        const char *want; /* NULL: not JSON at all */
} refusals[] = {
        {"[]", "", 1, 1, "must be an object, is an array"},
        {"7", "", 1, 1, "must be an object, is a number"},
        {"{}", "", 1, 1, "member \"name\" is missing"},
        {"{\"name\":null}", "/name", 1, 9, "must be a string, is null"},
        {"{\"name\":\"12345678\"}", "/name", 1, 9, "must have at most 7 bytes, and no NUL"},
        {"{\"name\":\"a\\u0000\"}", "/name", 1, 9, "must have at most 7 bytes, and no NUL"},
        {"{\"name\":\"a\",\n \"count\":9007199254740993}", "/count", 2, 10,
         "must be an integer from -9223372036854775808 to 9007199254740992"},
        {"{\"name\":\"a\",\"count\":99999999999999999999}", "/count", 1, 21,
         "must be an integer from -9223372036854775808 to 9007199254740992"},
        {"{\"name\":\"a\",\"count\":1.0}", "/count", 1, 21,
         "must be an integer from -9223372036854775808 to 9007199254740992"},
        {"{\"name\":\"a\",\"share\":1e999}", "/share", 1, 21, "must be from 0 to 1"},
        {"{\"name\":\"a\",\"share\":\"1\"}", "/share", 1, 21, "must be a number, is a string"},
        {"{\"name\":\"a\",\"at\":\"soon\"}", "/at", 1, 18,
         "must be a time as RFC 3339 writes it, like \"2026-01-01T00:00:30Z\""},
        {"{\"name\":\"a\",\"inner\":{}}", "/inner", 1, 21, "member \"x\" is missing"},
        {"{\"name\":\"a\",\"inner\":{\"x\":6}}", "/inner/x", 1, 26,
         "must be an integer from -1 to 5"},
        {"{\"name\":\"a\",\"inner\":{\"x\":1,\"on/off\":0}}", "/inner/on~1off", 1, 37,
         "must be true or false"},
        {"{\"name\":\"a\",\"list\":[1,\"2\"]}", "/list/1", 1, 23, "must be a number"},
        {"{\"name\":\"a\",\"list\":{}}", "/list", 1, 20, "must be an array, is an object"},
        {"{\"name\":\"a\",\"map\":[]}", "/map", 1, 19, "must be an object, is an array"},
        {"{\"name\":\"a\",\"map\":{\"b/\":1,\"c\":{}}}", "/map/c", 1, 31, "must be a number"},
        {"{\"name\":\"a\",\"word\":\"no\"}", "/word", 1, 20, "must be \"yes\""},
        {"{\"name\":\"a\",\"name2\":\"123456789\"}", "/name2", 1, 21, "must be short"},
        {"{\"name\":\"a\",\"nam\":1}", "/nam", 1, 13, KNOWN},
        {"{\"name\":\"a\",\"names\":1}", "/names", 1, 13, KNOWN},
        {"{\"name\":\"a\",\"\":1}", "/", 1, 13, KNOWN},
        {"{\"name\":\"a\",\"name\\u0000\":1}", "/name ", 1, 13, KNOWN},
        {"{\"name\":\"a\",\"~\\u002f\":1}", "/~0~1", 1, 13, KNOWN},
        /* Unknown members are reported before errors in known ones. */
        {"{\"name\":7,\"colour\":1}", "/colour", 1, 11, KNOWN},
        {"{\"name\":\"a\",\"\\u006eame\":\"b\"}", "/name", 1, 13, NULL},
        {"{\"name\":\"\xff\"}", "/name", 1, 10, NULL},
        {"{\"raw\":[[[[[[[[[[", "/raw/0/0/0", 1, 11, NULL},
        {"", "", 1, 1, NULL},
        {"{\"name\":\"a\"", "/name", 1, 12, NULL},
};

static void says_what_is_wrong_and_where(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(refusals); i++) {
                AUTO_BUFFER scratch = {0};
                struct scan_fault fault = {.detail = ""};
                struct json_reader r = {.fault = &fault, .scratch = &scratch};
                struct record got;
                int refused = read(bytes_of_text(refusals[i].text), &r, &got);
                bool right = refusals[i].want == NULL ? refused == 1
                                                      : strcmp(fault.detail, refusals[i].want) == 0;

                if (refused == 0 || !right ||
                    strcmp(fault.pointer, refusals[i].want_pointer) != 0 ||
                    fault.line != refusals[i].want_line || fault.column != refusals[i].want_column)
                        fail_msg("%s\n%d %s %u:%u %s", refusals[i].text, refused, fault.pointer,
                                 fault.line, fault.column, fault.detail);
                /* The same without a place for the fault. */
                r = (struct json_reader){.scratch = &scratch};
                buffer_clear(&scratch);
                assert_int_equal(read(bytes_of_text(refusals[i].text), &r, &got), refused);
        }
}

static void unknown_members_are_counted(void **state)
{
        static const char text[] = "{\"a\":1,\"name\":\"x\",\"b\":{\"c\":[{}]},\"\\u0000\":null}";
        struct json_reader r = {.lenient = true};
        struct record got;

        (void)state;
        assert_int_equal(read(bytes_of_text(text), &r, &got), 0);
        assert_int_equal(r.unknown, 3);
        assert_string_equal(got.name, "x");
}

static void a_long_pointer_loses_its_front(void **state)
{
        AUTO_BUFFER text = {0};
        struct scan_fault fault;
        struct json_reader r = {.fault = &fault};
        struct record got;

        (void)state;
        buffer_add_text(&text, "{\"");
        for (int i = 0; i < 300; i++)
                buffer_add_text(&text, "\xC3\xA9");
        buffer_add_text(&text, "\":1}");
        assert_int_equal(read(buffer_bytes(&text), &r, &got), -1);
        assert_true(strlen(fault.pointer) < SCAN_POINTER_SIZE);
        assert_true(bytes_are_utf8(bytes_of_text(fault.pointer)));
        assert_true(strncmp(fault.pointer, "\xE2\x80\xA6", 3) == 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(fills_the_struct),
                cmocka_unit_test(what_is_not_given_stays),
                cmocka_unit_test(scratch_holds_many_texts),
                cmocka_unit_test(says_what_is_wrong_and_where),
                cmocka_unit_test(unknown_members_are_counted),
                cmocka_unit_test(a_long_pointer_loses_its_front),
        };
        return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
