/* SPDX-License-Identifier: Apache-2.0
 *
 * cli_tail_test.c: what the messages of a live feed become, over several connections, and an event
 * as a line.
 */
#include "ui/cli/tail_feed.h"

#include <string.h>

#include "tests/unit/unit.h"
#include "ui/cli/table.h"

enum { NOW = 1000000 }; /* 1970-01-01T00:16:40Z */
#define HELLO(offset, resumed) \
        "{\"hello\":{\"offset\":" offset \
        ",\"tenant\":\"acme\",\"mode\":\"events\",\"resumed\":" resumed "}}"

#define ZEROS \
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000"

static struct scan_value value_of(const char *json)
{
        struct scan_fault f;

        assert_int_equal(scan_check(bytes_of_text(json), 64, &f), 0);
        return scan_root(bytes_of_text(json));
}

static void test_lines(void **state)
{
        static const struct {
                const char *event, *want; /* on a terminal of 60 columns */
        } table[] = {
                {"{\"at\":\"1970-01-01T00:16:40.000Z\",\"kind\":\"job_started\",\"type\":\"a\","
                 "\"id\":\"i1\",\"run\":1,\"attempt\":1,\"status\":\"running\",\"worker\":\"w\"}",
                 "00:16:40.000Z  started    a  i1  w\n"},
                {"{\"at\":\"1970-01-01T00:16:40.000Z\",\"kind\":\"job_failed\",\"type\":\"abc\","
                 "\"id\":\"i1\",\"run\":3,\"attempt\":1,\"status\":\"failed\","
                 "\"run_at\":\"1970-01-01T00:16:44.000Z\",\"error\":\"x\",\"masked\":1}",
                 "00:16:40.000Z  failed     abc  i1  run 3  try 1  next try in 4.0s  x  "
                 "(error masked)\n"},
                {"{\"at\":\"1970-01-01T00:16:40.000Z\",\"kind\":\"job_completed\",\"type\":\"a\","
                 "\"id\":\"i2\",\"run\":1,\"attempt\":2,\"ms\":1500,\"run_at\":\"x\"}",
                 "00:16:40.000Z  completed  a    i2  try 2  in 1.5s\n"},
                {"{\"at\":\"soon\",\"kind\":\"other\",\"type\":null,\"id\":\"i3\","
                 "\"progress\":0.5,\"message\":\"half\\nway\",\"by\":\"key k\",\"reason\":\"r\"}",
                 "soon  other      -    i3  50 %  half way  by key k  r\n"},
                {"{}", "  -          -    -\n"},
        };
        struct tail_look look = {.terminal = true, .width = 60};

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER out = {0};
                tail_add_event(&look, value_of(table[i].event), NOW, &out);
                assert_string_equal(out.data, table[i].want);
        }
}

static void test_an_event_takes_two_rows_at_most(void **state)
{
        static const struct {
                const char *id, *error;
                unsigned width, want; /* columns */
        } table[] = {
                {"i1", "", 60, 31},      {"i1", ZEROS, 60, 120},
                {ZEROS, ZEROS, 60, 120}, {ZEROS, "", 20, 40},
                {ZEROS, ZEROS, 20, 40},  {ZEROS, "", 8, 25}, /* time and kind stay */
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct tail_look look = {.terminal = true, .width = table[i].width};
                AUTO_BUFFER json = {0};
                AUTO_BUFFER out = {0};
                buffer_printf(&json,
                              "{\"at\":\"1970-01-01T00:16:40.000Z\",\"kind\":\"job_dlq\","
                              "\"type\":\"a\",\"id\":\"%s\",\"error\":\"%s\"}",
                              table[i].id, table[i].error);
                tail_add_event(&look, value_of(json.data), NOW, &out);
                assert_int_equal(show_width(bytes_of(out.data, out.length - 1)), table[i].want);
                if (i > 0)
                        assert_string_equal(out.data + out.length - 4, "\xE2\x80\xA6\n");
        }
}

static void test_json(void **state)
{
        static const struct {
                const char *event;
                int64_t offset;
                const char *want;
        } table[] = {
                {"{\"a\":1}", 7, "{\"offset\":7,\"a\":1}\n"},
                {"{}", 0, "{\"offset\":0}\n"},
                {"{ \"a\" :\r\n 1}", 7, "{\"offset\":7, \"a\" :   1}\n"},
                {"{\"a\":1}", -1, "{\"a\":1}\n"},
                {"{\"error\":\"\x7f\xc2\x9b\xe2\x80\xae\"}", 7,
                 "{\"offset\":7,\"error\":\"\\u007f\\u009b\\u202e\"}\n"},
                {"5", 7, "5\n"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER out = {0};
                tail_add_json(value_of(table[i].event), table[i].offset, &out);
                assert_string_equal(out.data, table[i].want);
        }
}

static void test_gaps(void **state)
{
        static const struct {
                const char *gap;
                const char *want;      /* of one who follows all events */
                const char *want_some; /* of one tenant's, or with a filter */
        } table[] = {
                {"{\"from\":3,\"to\":15,\"why\":\"restarted\"}",
                 "missed about 12 events: the gateway was restarted",
                 "may have missed events (offsets 3 to 15): the gateway was restarted"},
                {"{\"from\":3,\"to\":4,\"why\":\"x y\"}", "missed about 1 event: x y",
                 "may have missed events (offsets 3 to 4): x y"},
                {"{\"from\":9,\"to\":4}", "may have missed events", "may have missed events"},
                {"{\"from\":null,\"to\":4,\"why\":\"old_offset\"}",
                 "may have missed events: the gateway no longer has them",
                 "may have missed events: the gateway no longer has them"},
                {"{\"from\":3,\"to\":null,\"why\":\"broker\"}",
                 "no events for now: the gateway cannot read the event stream",
                 "no events for now: the gateway cannot read the event stream"},
                {"null", "may have missed events", "may have missed events"},
        };
        static const struct tail_look all = {.tenants = true};
        static const struct tail_look some[] = {
                {0}, {.filtered = true}, {.tenants = true, .filtered = true}};

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER out = {0};
                tail_add_gap(&all, value_of(table[i].gap), &out);
                assert_string_equal(out.data, table[i].want);
                for (size_t j = 0; j < COUNT(some); j++) {
                        buffer_clear(&out);
                        tail_add_gap(&some[j], value_of(table[i].gap), &out);
                        assert_string_equal(out.data, table[i].want_some);
                }
        }
}

/* "<" is a new connection, "." a moment without messages, anything else a message. */
struct step {
        const char *message;
        int64_t want_offset;
        const char *want_out, *want_notes; /* of this step */
};

static void check(const struct step *steps, size_t count, struct tail_feed *f)
{
        for (size_t i = 0; i < count; i++) {
                struct err e = {0};

                if (strcmp(steps[i].message, "<") == 0)
                        tail_feed_connect(f);
                else if (strcmp(steps[i].message, ".") == 0)
                        tail_feed_rest(f);
                else
                        assert_int_equal(
                                tail_feed_take(f, bytes_of_text(steps[i].message), NOW, &e), 0);
                assert_int_equal(f->offset, steps[i].want_offset);
                assert_true(bytes_equal_text(buffer_bytes(&f->out), steps[i].want_out));
                assert_true(bytes_equal_text(buffer_bytes(&f->notes), steps[i].want_notes));
                buffer_clear(&f->out);
                buffer_clear(&f->notes);
        }
        tail_feed_fini(f);
}

static void test_connections(void **state)
{
        static const struct step steps[] = {
                {"<", -1, "", ""},
                {".", -1, "", ""},
                {HELLO("5", "false"), 5, "", "following jobs of acme\n"},
                {".", 5, "", ""},
                {"{\"offset\":9,\"events\":[]}", 9, "", ""},
                {"{\"dropped\":4}", 9, "",
                 "4 events were left out: they were not taken fast enough\n"},
                {"<", 9, "", ""},
                {HELLO("9", "true"), 9, "", "reconnected; nothing was missed\n"},
                {"<", 9, "", ""},
                {HELLO("20", "false"), 20, "", ""},
                {"{\"gap\":{\"from\":9,\"to\":20,\"why\":\"rewound\"}}", 20, "",
                 "reconnected; may have missed events (offsets 9 to 20): the event stream was "
                 "replaced or has lost its end\n"},
                {"{\"gap\":{\"from\":20,\"to\":31,\"why\":\"behind\"}}", 31, "",
                 "may have missed events (offsets 20 to 31): the gateway did not keep up\n"},
                {"<", 31, "", ""},
                {".", 31, "", ""},
                {HELLO("null", "false"), 31, "", ""},
                {".", 31, "", "reconnected; may have missed events: the connection was lost\n"},
                {".", 31, "", ""},
                {"<", 31, "", ""},
                {HELLO("2", "false"), 2, "", ""},
                {"{\"offset\":3,\"events\":[]}", 3, "",
                 "reconnected; may have missed events: the connection was lost\n"},
                {"{\"filter\":{}}", 3, "", ""},
                {"{\"error\":{\"detail\":\"what?\"}}", 3, "", "the gateway: what?\n"},
        };
        struct tail_feed f = {.offset = -1};

        (void)state;
        check(steps, COUNT(steps), &f);
}

static void test_connections_in_json(void **state)
{
        static const struct step steps[] = {
                {"<", 4, "", ""},
                {HELLO("8", "false"), 8, "", "{\"note\":\"following jobs of acme\"}\n"},
                {"{\"offset\":9,\"events\":[{\"a\":1},{\"a\":2}]}", 9,
                 "{\"gap\":{\"from\":4,\"to\":null,\"why\":\"reconnected\"}}\n"
                 "{\"offset\":8,\"a\":1}\n{\"offset\":9,\"a\":2}\n",
                 ""},
                {"{\"gap\": {\"from\":9}}", 9, "{\"gap\": {\"from\":9}}\n", ""},
                {"{\"dropped\":4}", 9, "{\"dropped\":4}\n", ""},
                {"{\"counts\":null,\"stale\":true}", 9, "{\"counts\":null,\"stale\":true}\n", ""},
                {"<", 9, "", ""},
                {HELLO("9", "true"), 9, "", "{\"note\":\"reconnected; nothing was missed\"}\n"},
        };
        struct tail_feed f = {.offset = 4, .json = true};

        (void)state;
        check(steps, COUNT(steps), &f);
}

/* An offset goes with the mark that was told with it. */
static void test_marks(void **state)
{
        static const struct {
                const char *message;
                int64_t offset, mark;
        } table[] = {
                {"{\"hello\":{\"offset\":5,\"mark\":9007199254740991}}", 5, 9007199254740991},
                {"{\"hello\":{\"offset\":null,\"mark\":null}}", 5, 9007199254740991},
                {"{\"offset\":7,\"mark\":0,\"events\":[]}", 7, 0},
                {"{\"gap\":{\"to\":null}}", 7, 0},
                {"{\"gap\":{\"to\":9}}", 9, -1},
                {"{\"offset\":10,\"mark\":4,\"events\":[]}", 10, 4},
                {"{\"offset\":11,\"mark\":null,\"events\":[]}", 11, -1},
        };
        struct tail_feed f = {.offset = -1, .mark = -1};

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct err e = {0};
                assert_int_equal(tail_feed_take(&f, bytes_of_text(table[i].message), NOW, &e), 0);
                assert_int_equal(f.offset, table[i].offset);
                assert_int_equal(f.mark, table[i].mark);
        }
        tail_feed_fini(&f);
}

static void test_what_is_no_feed(void **state)
{
        static const char *const messages[] = {
                "", "x", "[]", "{}", "{\"events\":[]}", "{\"hello\":{}} {}"};

        (void)state;
        for (size_t i = 0; i < COUNT(messages); i++) {
                struct tail_feed f = {.offset = -1};
                struct err e = {0};

                tail_feed_connect(&f);
                assert_int_equal(tail_feed_take(&f, bytes_of_text(messages[i]), NOW, &e), -1);
                assert_int_equal(e.code, ERR_PROTOCOL);
                assert_false(f.began);
                tail_feed_fini(&f);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_an_event_takes_two_rows_at_most),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_gaps),
                cmocka_unit_test(test_connections),
                cmocka_unit_test(test_connections_in_json),
                cmocka_unit_test(test_marks),
                cmocka_unit_test(test_what_is_no_feed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
