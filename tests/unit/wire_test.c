/* SPDX-License-Identifier: Apache-2.0
 *
 * wire_test.c: property lists: what is refused, what the message of a delivery shows, what a
 * publish carries, and what people are shown.
 */
#include <stdlib.h>
#include <string.h>

#include "common/amqp/outgoing.h"
#include "common/amqp/properties.h"
#include "common/base/own.h"
#include "tests/unit/unit.h"

#define RAW(text) \
        { \
                .data = text, .length = sizeof(text) - 1 \
        }

static void test_check(void **state)
{
        static const struct {
                const char *name;
                struct bytes raw;
                enum err_code want;
        } cases[] = {
                {"nothing set", RAW("\x00\x00"), ERR_NONE},
                {"message id", RAW("\x00\x80\x02hi"), ERR_NONE},
                {"delivery mode and timestamp", RAW("\x10\x40\x02\0\0\0\0\0\0\0\x01"), ERR_NONE},
                {"empty headers", RAW("\x20\x00\0\0\0\0"), ERR_NONE},
                {"a table in a table",
                 RAW("\x20\x00\0\0\0\x09\x01"
                     "aF\0\0\0\x02\x01"
                     "xV"),
                 ERR_INVALID},
                {"a table in a table, lengths right",
                 RAW("\x20\x00\0\0\0\x0a\x01"
                     "aF\0\0\0\x03\x01"
                     "xV"),
                 ERR_NONE},
                {"every scalar",
                 RAW("\x20\x00\0\0\0\x0c\x01"
                     "at\x01\x01"
                     "bs\0\1\x01"
                     "cV"),
                 ERR_NONE},
                {"too short", RAW("\x00"), ERR_INVALID},
                {"nothing", RAW(""), ERR_INVALID},
                {"continued flags", RAW("\x00\x01\x00\x00"), ERR_INVALID},
                {"string past the end", RAW("\x00\x80\x09hi"), ERR_INVALID},
                {"table past the end", RAW("\x20\x00\0\0\1\0"), ERR_INVALID},
                {"huge table length", RAW("\x20\x00\xff\xff\xff\xff"), ERR_INVALID},
                {"unknown kind",
                 RAW("\x20\x00\0\0\0\x03\x01"
                     "a?"),
                 ERR_INVALID},
                {"value past its table",
                 RAW("\x20\x00\0\0\0\x04\x01"
                     "al\0\0\0\0\0\0\0\0"),
                 ERR_INVALID},
                {"bytes after the end", RAW("\x00\x00 "), ERR_INVALID},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct err e = {0};
                int result = wire_check_properties(cases[i].raw, &e);
                if (e.code != cases[i].want || (result == 0) != (cases[i].want == ERR_NONE))
                        fail_msg("%s: %d %s", cases[i].name, result, e.text);
        }
}

/* A property list whose one header nests `depth` arrays. */
static size_t nested(char *out, size_t depth)
{
        size_t at = 0;
        size_t inner = depth * 5;

        out[at++] = 0x20;
        out[at++] = 0;
        size_t table = 2 + inner;
        for (int shift = 24; shift >= 0; shift -= 8)
                out[at++] = (char)(table >> shift);
        out[at++] = 1;
        out[at++] = 'a';
        for (size_t i = 0; i < depth; i++) {
                inner -= 5;
                out[at++] = 'A';
                for (int shift = 24; shift >= 0; shift -= 8)
                        out[at++] = (char)(inner >> shift);
        }
        return at;
}

static void test_depth(void **state)
{
        static const struct {
                size_t depth;
                bool want;
        } cases[] = {
                {1, true}, {TABLE_DEPTH_MAX - 1, true}, {TABLE_DEPTH_MAX, false}, {15000, false}};
        AUTO_FREE char *raw = malloc(PROPERTIES_MAX);

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct err e = {0};
                struct bytes list = bytes_of(raw, nested(raw, cases[i].depth));
                assert_int_equal(wire_check_properties(list, &e) == 0, cases[i].want);
                struct err je = {0};
                json_t *json = properties_to_json(list, &je);
                assert_int_equal(json != NULL, cases[i].want);
                json_decref(json);
        }
}

static amqp_table_entry_t entry(const char *key, amqp_field_value_t value)
{
        return (amqp_table_entry_t){.key = amqp_cstring_bytes(key), .value = value};
}

static size_t encode_all(char *out, size_t size)
{
        amqp_table_entry_t inner[] = {entry(
                "deep", (amqp_field_value_t){.kind = 'S', .value.bytes = amqp_cstring_bytes("é")})};
        amqp_field_value_t elements[] = {
                {.kind = 'I', .value.i32 = -7},
                {.kind = 'S', .value.bytes = {.len = 2, .bytes = "\xff\xfe"}}};
        amqp_table_entry_t headers[] = {
                entry("t", (amqp_field_value_t){.kind = 't', .value.boolean = 1}),
                entry("b", (amqp_field_value_t){.kind = 'b', .value.i8 = -8}),
                entry("B", (amqp_field_value_t){.kind = 'B', .value.u8 = 200}),
                entry("s", (amqp_field_value_t){.kind = 's', .value.i16 = -300}),
                entry("u", (amqp_field_value_t){.kind = 'u', .value.u16 = 60000}),
                entry("I", (amqp_field_value_t){.kind = 'I', .value.i32 = -70000}),
                entry("i", (amqp_field_value_t){.kind = 'i', .value.u32 = 4000000000U}),
                entry("l", (amqp_field_value_t){.kind = 'l', .value.i64 = INT64_MIN}),
                entry("L", (amqp_field_value_t){.kind = 'L', .value.u64 = UINT64_MAX}),
                entry("f", (amqp_field_value_t){.kind = 'f', .value.f32 = 0.5F}),
                entry("d", (amqp_field_value_t){.kind = 'd', .value.f64 = 0.25}),
                entry("D", (amqp_field_value_t){.kind = 'D',
                                                .value.decimal = {.decimals = 2, .value = 125}}),
                entry("S",
                      (amqp_field_value_t){.kind = 'S', .value.bytes = amqp_cstring_bytes("text")}),
                entry("x", (amqp_field_value_t){.kind = 'x',
                                                .value.bytes = {.len = 3, .bytes = "a\0b"}}),
                entry("T", (amqp_field_value_t){.kind = 'T', .value.u64 = 1700000000}),
                entry("V", (amqp_field_value_t){.kind = 'V'}),
                entry("F",
                      (amqp_field_value_t){.kind = 'F',
                                           .value.table = {.num_entries = 1, .entries = inner}}),
                entry("A",
                      (amqp_field_value_t){.kind = 'A',
                                           .value.array = {.num_entries = 2, .entries = elements}}),
        };
        amqp_basic_properties_t p = {
                ._flags = AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                          AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                          AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_PRIORITY_FLAG |
                          AMQP_BASIC_REPLY_TO_FLAG,
                .headers = {.num_entries = sizeof(headers) / sizeof(headers[0]),
                            .entries = headers},
                .message_id = amqp_cstring_bytes("id-1"),
                .type = amqp_empty_bytes,
                .delivery_mode = 2,
                .timestamp = 1700000001,
                .priority = 9,
                .reply_to = amqp_cstring_bytes("back"),
        };
        int length = amqp_encode_properties(AMQP_BASIC_CLASS, &p,
                                            (amqp_bytes_t){.len = size, .bytes = out});

        assert_true(length > 0);
        return (size_t)length;
}

static void test_message(void **state)
{
        char raw[1024];
        char copy[1024];
        size_t length = encode_all(raw, sizeof(raw));
        amqp_bytes_t wire = {.len = length, .bytes = raw};
        amqp_pool_t pool;
        void *decoded = NULL;
        struct message m;

        (void)state;
        init_amqp_pool(&pool, 4096);
        assert_int_equal(amqp_decode_properties(AMQP_BASIC_CLASS, &pool, wire, &decoded), 0);
        memcpy(copy, raw, length);
        wire_message(decoded, wire, copy, &m);
        empty_amqp_pool(&pool);
        memset(raw, 0, sizeof(raw)); /* the message must depend on the copy only */

        assert_true(bytes_equal_text(m.message_id, "id-1"));
        assert_non_null(m.type.data); /* the type is empty, not absent */
        assert_int_equal(m.type.length, 0);
        assert_null(m.app_id.data);
        assert_int_equal(m.timestamp, 1700000001);
        assert_int_equal(m.delivery_mode, 2);
        assert_int_equal(m.header_count, 18);
        assert_int_equal(m.properties.length, length);

        static const struct {
                const char *name;
                int64_t want;
        } numbers[] = {{"t", -99},   {"b", -8},     {"B", 200},        {"s", -300},
                       {"u", 60000}, {"I", -70000}, {"i", 4000000000}, {"l", INT64_MIN},
                       {"L", -99},   {"f", -99},    {"T", -99},        {"A", -99},
                       {"none", -99}};
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                assert_int_equal(message_header_int(&m, numbers[i].name, -99), numbers[i].want);
        assert_true(bytes_equal_text(message_header_text(&m, "S"), "text"));
        assert_int_equal(message_header_text(&m, "x").length, 3);
        assert_null(message_header_text(&m, "F").data);
        static const struct {
                const char *name;
                enum header_kind want;
        } kinds[] = {{"V", HEADER_OTHER}, {"t", HEADER_OTHER},  {"T", HEADER_OTHER},
                     {"L", HEADER_OTHER}, {"F", HEADER_NESTED}, {"A", HEADER_NESTED}};
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                assert_int_equal(message_header(&m, kinds[i].name)->kind, kinds[i].want);
}

/* When there are more headers than fit, the meaningful ones are decoded whatever comes before
 * them. */
static void test_many_headers(void **state)
{
        amqp_table_entry_t headers[MESSAGE_HEADERS_MAX + 3];
        const size_t count = sizeof(headers) / sizeof(headers[0]);
        struct message m;

        (void)state;
        for (size_t i = 0; i < count; i++)
                headers[i] = entry(i % 2 == 0 ? "x-mine" : "x-key",
                                   (amqp_field_value_t){.kind = 'I', .value.i32 = (int32_t)i});
        headers[count - 3] =
                entry("x-stream-offset", (amqp_field_value_t){.kind = 'l', .value.i64 = 1 << 20});
        headers[count - 2] = entry("x-delay", (amqp_field_value_t){.kind = 'I', .value.i32 = 7});
        headers[count - 1] = entry("traceparent", (amqp_field_value_t){.kind = 'V'});
        const amqp_basic_properties_t p = {
                ._flags = AMQP_BASIC_HEADERS_FLAG,
                .headers = {.num_entries = (int)count, .entries = headers}};

        wire_message(&p, amqp_empty_bytes, NULL, &m);
        assert_int_equal(m.header_count, 4);
        assert_int_equal(message_header_int(&m, "x-key", 0), 1); /* the first header of that name */
        assert_int_equal(message_header_int(&m, "x-stream-offset", 0), 1 << 20);
        assert_int_equal(message_header_int(&m, "x-delay", 0), 7);
        assert_non_null(message_header(&m, "traceparent"));
}

/* A list with delivery_mode and type, and before them the given headers, if any. */
static struct bytes properties_with(struct bytes headers, char out[256])
{
        static const char rest[] = "\x02\x04"
                                   "echo";
        size_t at = 2;

        out[0] = headers.data == NULL ? 0x10 : 0x30;
        out[1] = 0x20;
        if (headers.data != NULL) {
                memset(out + at, 0, 3);
                out[at + 3] = (char)headers.length;
                memcpy(out + at + 4, headers.data, headers.length);
                at += 4 + headers.length;
        }
        memcpy(out + at, rest, sizeof(rest) - 1);
        return bytes_of(out, at + sizeof(rest) - 1);
}

#define HEADERS(literal) \
        { \
                literal, sizeof(literal) - 1 \
        }
#define COUNT_OF_3 "\x10x-delivery-countl\0\0\0\0\0\0\0\x03"
#define ACQUIRED_5 "\x10x-acquired-countl\0\0\0\0\0\0\0\x05"

static void test_as_published(void **state)
{
        static const struct {
                struct bytes a, b;
                bool want_same;
        } rows[] = {
                {HEADERS("\1zt\1\1aV"), HEADERS("\1zt\1\1aV"), true},
                {HEADERS("\1zt\1\1aV"), HEADERS("\1aV" COUNT_OF_3 "\1zt\1"), true},
                {{NULL, 0}, HEADERS(COUNT_OF_3), true},
                {{NULL, 0}, HEADERS(ACQUIRED_5), true},
                {HEADERS("\1zt\1"), HEADERS(ACQUIRED_5 COUNT_OF_3 "\1zt\1"), true},
                {HEADERS("\1zt\1"),
                 HEADERS("\x10x-acquired-counut\1"
                         "\1zt\1"),
                 false},
                {HEADERS(""), {NULL, 0}, true},
                {HEADERS("\1zt\1"), HEADERS("\1zt\0"), false},
                {HEADERS("\1zT\0\0\0\0\0\0\0\1"), HEADERS("\1zT\0\0\0\0\0\0\0\2"), false},
                {HEADERS("\1zl\0\0\0\0\0\0\0\1"), HEADERS("\1zT\0\0\0\0\0\0\0\1"), false},
                {HEADERS("\1zV"), {NULL, 0}, false},
                {HEADERS("\1zd\0\0\0\0\0\0\0\1"), HEADERS("\1zd\0\0\0\0\0\0\0\2"), false},
                {HEADERS("\1zD\0\0\0\0\1"), HEADERS("\1zD\1\0\0\0\1"), false},
                {HEADERS("\1zF\0\0\0\4\1at\1"), HEADERS("\1zF\0\0\0\4\1at\0"), false},
                {HEADERS("\1zA\0\0\0\2t\1\1yV"), HEADERS("\1yV\1zA\0\0\0\2t\1"), true},
                {HEADERS("\1zA\0\0\0\2t\1\1yV"), HEADERS("\1yV\1zA\0\0\0\2t\0"), false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char a[256], b[256];
                AUTO_BUFFER of_a = {0};
                AUTO_BUFFER of_b = {0};
                struct bytes whole = properties_with(rows[i].a, a);
                assert_int_equal(properties_as_published(whole, &of_a, NULL), 0);
                assert_int_equal(
                        properties_as_published(properties_with(rows[i].b, b), &of_b, NULL), 0);
                assert_int_equal(bytes_equal(buffer_bytes(&of_a), buffer_bytes(&of_b)),
                                 rows[i].want_same);
                if (rows[i].a.length > 0) /* cut inside the headers */
                        assert_int_equal(
                                properties_as_published(bytes_of(a, whole.length - 7), &of_a, NULL),
                                -1);
                a[whole.length - 1] = 'O';
                buffer_clear(&of_a);
                assert_int_equal(properties_as_published(whole, &of_a, NULL), 0);
                assert_false(bytes_equal(buffer_bytes(&of_a), buffer_bytes(&of_b)));
        }
}

#define OFFSET(n) "\x0fx-stream-offsetl\0\0\0\0\0\0\0" n

/* The offset is found even if the rest cannot be decoded, and only at the place where the broker
 * puts it. */
static void test_stream_offset(void **state)
{
        static const struct {
                struct bytes headers;
                int64_t want;
        } rows[] = {
                {HEADERS(OFFSET("\7")), 7},
                {HEADERS("\x0fx-stream-offsetl\0\0\0\0\0\1\0\0"), 65536},
                {HEADERS("\1zt\1" OFFSET("\7") "\1yV"), 7},
                {HEADERS("\1zF\0\0\0\x19" OFFSET("\x09") OFFSET("\7")), 7},
                {HEADERS("\1zF\0\0\0\x19" OFFSET("\x09")), -1},
                {HEADERS("\1zA\0\0\0\5A\0\0\0\x7f" OFFSET("\7")), 7},
                {HEADERS("\x0fx-stream-offsetS\0\0\0\4abcd"), -1},
                {HEADERS("\1zA\0\0\1\0"), -1}, /* longer than the header table */
                {HEADERS(""), -1},
                {{NULL, 0}, -1},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                char out[256];
                struct bytes whole = properties_with(rows[i].headers, out);
                assert_int_equal(wire_stream_offset(whole), rows[i].want);
        }
        assert_int_equal(wire_stream_offset((struct bytes){0}), -1);
}

static void test_json(void **state)
{
        char raw[1024];
        struct err e = {0};

        (void)state;
        json_t *got = properties_to_json(bytes_of(raw, encode_all(raw, sizeof(raw))), &e);
        assert_non_null(got);
        json_error_t fault;
        json_t *want = json_loads(
                "{\"properties\": {\"message_id\": \"id-1\", \"type\": \"\", \"reply_to\": "
                "\"back\","
                " \"delivery_mode\": 2, \"priority\": 9, \"timestamp\": {\"timestamp\": "
                "1700000001}},"
                " \"headers\": {\"t\": true, \"b\": -8, \"B\": 200, \"s\": -300, \"u\": 60000,"
                " \"I\": -70000, \"i\": 4000000000, \"l\": -9223372036854775808,"
                " \"L\": {\"unsigned\": \"18446744073709551615\"}, \"f\": 0.5, \"d\": 0.25,"
                " \"D\": {\"decimal\": \"1.25\"}, \"S\": \"text\", \"x\": {\"base64\": \"YQBi\"},"
                " \"T\": {\"timestamp\": 1700000000}, \"V\": null, \"F\": {\"deep\": \"é\"},"
                " \"A\": [-7, {\"base64\": \"//4=\"}]}}",
                0, &fault);
        assert_non_null(want);
        if (!json_equal(got, want)) {
                AUTO_FREE char *text = json_dumps(got, 0);
                fail_msg("got %s", text);
        }
        json_decref(got);
        json_decref(want);
}

static void test_publish(void **state)
{
        struct message m = {.exchange = bytes_of_text("e"),
                            .routing_key = bytes_of_text("k"),
                            .message_id = bytes_of_text("id"),
                            .delivery_mode = 2,
                            .body = bytes_of_text("{}")};
        struct err e = {0};

        (void)state;
        message_add_int(&m, "n", -5);
        message_add_text(&m, "s", bytes_of_text("text"));
        AUTO_FREE struct outgoing *p = outgoing_create(&m, "warren-test", &e);
        assert_non_null(p);
        assert_int_equal(p->properties.headers.num_entries, 2);
        assert_int_equal(p->properties.headers.entries[0].value.value.i64, -5);
        assert_true(bytes_equal_text(wire_view(p->properties.user_id), "warren-test"));
        assert_int_equal(p->properties._flags & AMQP_BASIC_TIMESTAMP_FLAG, 0);
        assert_true(bytes_equal_text(wire_view(p->body), "{}"));
        assert_true(p->body.bytes != m.body.data);
}

static void test_publish_refused(void **state)
{
        static char long_text[300];
        struct bytes too_long =
                bytes_of(memset(long_text, 'a', sizeof(long_text)), sizeof(long_text));
        const struct {
                struct message m;
                enum err_code want;
        } cases[] = {
                {{.message_id = too_long}, ERR_INVALID},
                {{.exchange = too_long}, ERR_INVALID},
                {{.routing_key = too_long}, ERR_INVALID},
                {{.header_count = 1, .headers = {{.name = too_long}}}, ERR_INVALID},
                {{.body = {"", (size_t)BODY_MAX + 1}}, ERR_TOO_LARGE},
                {{.properties = RAW("\x00\x80\x09hi")}, ERR_INVALID},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct err e = {0};
                assert_null(outgoing_create(&cases[i].m, "warren-test", &e));
                assert_int_equal(e.code, cases[i].want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_check),
                cmocka_unit_test(test_depth),
                cmocka_unit_test(test_message),
                cmocka_unit_test(test_many_headers),
                cmocka_unit_test(test_as_published),
                cmocka_unit_test(test_stream_offset),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_publish),
                cmocka_unit_test(test_publish_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
