/* SPDX-License-Identifier: Apache-2.0
 *
 * event_test.c: events read from lines, and lines written.
 */
#include "tests/unit/unit.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/model/event.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define HEAD "\"id\":\"" ID "\",\"tenant\":\"acme\",\"run\":1"
#define AT "\"at\":1732250000123"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define HINT \
        ",\"type\":\"send_email\",\"priority\":3,\"max_retries\":5,\"submitted_at\":" \
        "1732240000000," \
        "\"run_at\":1732240000500,\"expires_at\":1732240060000,\"traceparent\":\"" TRACE "\""
#define NOW ((msec)1732250000000)

static const struct {
        const char *text;
        enum event_kind want;
} round_trips[] = {
        {"{\"event\":\"started\"," HEAD ",\"attempt\":1," AT
         ",\"worker\":\"host-a/4711\",\"redelivered\":false}\n",
         EVENT_STARTED},
        {"{\"event\":\"started\"," HEAD ",\"attempt\":1," AT
         ",\"worker\":\"h/1\",\"redelivered\":true" HINT "}\n",
         EVENT_STARTED},
        {"{\"event\":\"started\"," HEAD ",\"attempt\":1," AT
         ",\"redelivered\":false,\"type\":\"a\",\"priority\":0,\"max_retries\":0}\n",
         EVENT_STARTED},
        {"{\"event\":\"completed\"," HEAD ",\"attempt\":1," AT
         ",\"ms\":27,\"result\":{\"bytes\":5120}}\n",
         EVENT_COMPLETED},
        {"{\"event\":\"completed\"," HEAD ",\"attempt\":1," AT
         ",\"ms\":27,\"type\":\"send_email\"}\n",
         EVENT_COMPLETED},
        {"{\"event\":\"progress\"," HEAD ",\"attempt\":1," AT
         ",\"progress\":0.4,\"message\":\"page 4 \\\"of\\\" 10\"}\n",
         EVENT_PROGRESS},
        {"{\"event\":\"resumed\"," HEAD ",\"attempt\":1," AT ",\"worker\":\"host-a/4711\"}\n",
         EVENT_RESUMED},
        {"{\"event\":\"released\"," HEAD ",\"attempt\":1," AT
         ",\"worker\":\"host-a/4711\",\"after\":1732240000000,\"lost\":false}\n",
         EVENT_RELEASED},
        {"{\"event\":\"cancel_requested\"," HEAD ",\"attempt\":1," AT ",\"by\":\"key k1x2\"}\n",
         EVENT_CANCEL_REQUESTED},
        {"{\"event\":\"cancelled\"," HEAD "," AT ",\"by\":\"key k1x2\",\"running\":false}\n",
         EVENT_CANCELLED},
        {"{\"event\":\"rejected\"," HEAD ",\"attempt\":1," AT ",\"why\":\"broker nack\"}\n",
         EVENT_REJECTED},
        {"{\"event\":\"buried\"," HEAD ",\"attempt\":1," AT
         ",\"reason\":\"unroutable\",\"burial\":\"b\"}\n",
         EVENT_DEAD},
        {"{\"event\":\"forgotten\"," HEAD "," AT ",\"by\":\"key k1x2\"}\n", EVENT_FORGOTTEN},
        {"{\"event\":\"cancelled\"," HEAD ",\"attempt\":2," AT
         ",\"worker\":\"h/1\",\"running\":true}\n",
         EVENT_CANCELLED},
        {"{\"event\":\"moved\"," HEAD ",\"attempt\":2,\"copy\":1806340153344001," AT
         ",\"by\":\"key k1x2\",\"why\":\"reschedule\",\"priority\":2,\"run_at\":1732240000500}\n",
         EVENT_MOVED},
        {"{\"event\":\"moved\"," HEAD ",\"attempt\":1,\"copy\":9007199254740991," AT "}\n",
         EVENT_MOVED},
        {"{\"event\":\"seen\"," AT ",\"mark\":1806340153344001,\"worker\":\"host-a/4711\"}\n",
         EVENT_SEEN},
        {"{\"event\":\"act\",\"act\":\"" ID "\"," AT
         ",\"by\":\"key k1x2y3z4\",\"key_tenant\":\"\",\"what\":\"tenant.change\",\"target\":"
         "\"tenant/"
         "acme\",\"tenant\":\"acme\",\"origin\":\"10.0.0.7\",\"detail\":{\"run\":\"x\"}}\n",
         EVENT_ACT},
        {"{\"event\":\"act\",\"act\":\"" ID "\"," AT
         ",\"by\":\"local\",\"what\":\"key.create\",\"tenant\":null,\"detail\":null}\n",
         EVENT_ACT},
        {"{\"event\":\"acted\",\"act\":\"" ID "\"," AT ",\"status\":200}\n", EVENT_ACTED},
        {"{\"event\":\"worker\",\"worker\":\"host-a/4711\"," AT
         ",\"marks\":true,\"started\":1732240000000,\"state\":\"up\",\"running\":[{\"id\":\"" ID
         "\"}],\"types\":[\"a\"]}\n",
         EVENT_WORKER},
};

static void lines_make_the_round_trip(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(round_trips); i++) {
                AUTO_BUFFER scratch = {0}, out = {0};
                struct event event;
                struct bytes line = bytes_of(round_trips[i].text, strlen(round_trips[i].text) - 1);
                assert_int_equal(event_parse(line, &scratch, &event), EVENT_IS);
                assert_int_equal(event.kind, round_trips[i].want);
                assert_int_equal(event.at, NOW + 123);
                assert_int_equal(event.unknown, 0);
                event_write(&event, &out);
                assert_string_equal(out.data, round_trips[i].text);
        }
}

static void odd_lines_are_told_apart(void **state)
{
        static const struct {
                const char *text;
                enum event_verdict want;
        } rows[] = {
                {"", EVENT_MALFORMED},
                {"[]", EVENT_MALFORMED},
                {"{}", EVENT_MALFORMED},
                {"{\"event\":", EVENT_MALFORMED},
                {"{\"event\":5}", EVENT_MALFORMED},
                {"{\"event\":null}", EVENT_MALFORMED},
                {"{\"event\":\"moon\"}", EVENT_UNKNOWN},
                {"{\"event\":\"moon\",\"id\":5}", EVENT_UNKNOWN},
                {"{\"event\":\"started\"," HEAD "," AT "}", EVENT_MALFORMED},
                {"{\"event\":\"released\"," HEAD "," AT ",\"attempt\":1,\"worker\":\"a/1\"}",
                 EVENT_MALFORMED},
                {"{\"event\":\"released\"," HEAD "," AT ",\"attempt\":1,\"after\":5}",
                 EVENT_MALFORMED},
                {"{\"event\":\"released\"," HEAD "," AT ",\"worker\":\"a/1\",\"after\":5}",
                 EVENT_MALFORMED},
                {"{\"event\":\"started\"," HEAD ",\"attempt\":0," AT "}", EVENT_MALFORMED},
                {"{\"event\":\"started\"," HEAD ",\"attempt\":-1," AT "}", EVENT_MALFORMED},
                {"{\"event\":\"started\"," HEAD ",\"attempt\":1.5," AT "}", EVENT_MALFORMED},
                {"{\"event\":\"started\"," HEAD ",\"attempt\":9223372036854775807," AT "}",
                 EVENT_MALFORMED},
                {"{\"event\":\"started\"," HEAD ",\"attempt\":1," AT ",\"run\":2}",
                 EVENT_MALFORMED},
                {"{\"event\":\"started\",\"id\":\"x\",\"tenant\":\"acme\",\"run\":1,\"attempt\":1}",
                 EVENT_MALFORMED},
                {"{\"event\":\"started\",\"id\":\"" ID
                 "\",\"tenant\":\"Acme\",\"run\":1,\"attempt\":1}",
                 EVENT_MALFORMED},
                {"{\"event\":\"started\",\"id\":\"" ID
                 "\",\"tenant\":\"acme\",\"run\":0,\"attempt\":1}",
                 EVENT_MALFORMED},
                {"{\"event\":\"buried\"," HEAD "," AT "}", EVENT_MALFORMED},
                {"{\"event\":\"buried\"," HEAD "," AT ",\"reason\":\"whim\"}", EVENT_MALFORMED},
                {"{\"event\":\"worker\"," AT "}", EVENT_MALFORMED},
                {"{\"event\":\"seen\"," AT ",\"mark\":5}", EVENT_MALFORMED},
                {"{\"event\":\"seen\"," AT ",\"worker\":\"a/1\"}", EVENT_MALFORMED},
                {"{\"event\":\"seen\"," AT ",\"worker\":\"a/1\",\"mark\":0}", EVENT_MALFORMED},
                {"{\"event\":\"seen\"," AT ",\"worker\":\"a/1\",\"mark\":5,\"mood\":1}", EVENT_IS},
                {"{\"event\":\"act\"," AT "}", EVENT_MALFORMED},
                {"{\"event\":\"act\",\"act\":\"x\"," AT "}", EVENT_MALFORMED},
                {"{\"event\":\"acted\"," HEAD ",\"act\":7," AT "}", EVENT_MALFORMED},
                {"{\"event\":\"act\",\"act\":\"" ID "\",\"tenant\":\"\"," AT "}", EVENT_IS},
                {"{\"event\":\"moved\"," HEAD "," AT ",\"copy\":5}", EVENT_MALFORMED},
                {"{\"event\":\"moved\"," HEAD ",\"attempt\":1," AT "}", EVENT_MALFORMED},
                {"{\"event\":\"forgotten\"," HEAD "," AT ",\"act\":7}", EVENT_IS},
                {"{\"event\":\"forgotten\"," HEAD "," AT ",\"mood\":[{}]}", EVENT_IS},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                AUTO_BUFFER scratch = {0};
                struct event event;
                assert_int_equal(event_parse(bytes_of_text(rows[i].text), &scratch, &event),
                                 rows[i].want);
        }
}

static void a_start_says_what_it_runs(void **state)
{
        static const char text[] = "{\"event\":\"started\"," HEAD ",\"attempt\":1," AT HINT "}";
        static const char bare[] = "{\"event\":\"started\"," HEAD ",\"attempt\":1," AT "}";
        AUTO_BUFFER scratch = {0};
        struct event e;

        (void)state;
        assert_int_equal(event_parse(bytes_of_text(text), &scratch, &e), EVENT_IS);
        assert_string_equal(e.hint.type, "send_email");
        assert_int_equal(e.hint.priority, PRIORITY_CRITICAL);
        assert_int_equal(e.hint.max_retries, 5);
        assert_int_equal(e.hint.submitted_at, 1732240000000);
        assert_int_equal(e.hint.run_at, 1732240000500);
        assert_int_equal(e.hint.expires_at, 1732240060000);
        assert_string_equal(e.hint.traceparent, TRACE);
        assert_int_equal(event_parse(bytes_of_text(bare), &scratch, &e), EVENT_IS);
        assert_string_equal(e.hint.type, "");
        assert_int_equal(e.hint.priority, -1);
        assert_int_equal(e.hint.max_retries, -1);
        assert_int_equal(e.hint.submitted_at, 0);
}

static void an_expiry_is_read_as_it_was_written(void **state)
{
        static const char want[] = "{\"event\":\"cancelled\"," HEAD "," AT
                                   ",\"running\":false,\"reason\":\"expired\"" HINT "}\n";
        static const char by[] =
                "{\"event\":\"cancelled\"," HEAD "," AT ",\"by\":\"key k1x2\",\"running\":true}\n";
        static const char *const lines[] = {want, by};

        (void)state;
        for (size_t i = 0; i < COUNT(lines); i++) {
                AUTO_BUFFER scratch = {0}, again = {0};
                struct event e;
                struct bytes line = bytes_of(lines[i], strlen(lines[i]) - 1);
                assert_int_equal(event_parse(line, &scratch, &e), EVENT_IS);
                assert_int_equal(e.reason, i == 0 ? REASON_EXPIRED : REASON_NONE);
                event_write(&e, &again);
                assert_true(bytes_equal_text(buffer_bytes(&again), lines[i]));
        }
}

static void what_a_start_says_is_checked(void **state)
{
        static const char *const members[] = {
                "\"type\":\"\"",
                "\"type\":\"No Type\"",
                "\"type\":\"a\\u0000b\"",
                "\"type\":5",
                "\"type\":null",
                "\"type\":\"a1234567890123456789012345678901234567890123456789012345678901234\"",
                "\"priority\":-1",
                "\"priority\":4",
                "\"priority\":\"low\"",
                "\"priority\":1.5",
                "\"max_retries\":-1",
                "\"max_retries\":101",
                "\"max_retries\":99999999999999999999",
                "\"submitted_at\":-1",
                "\"submitted_at\":253402300800000",
                "\"submitted_at\":\"2024-11-22T04:33:20Z\"",
                "\"run_at\":-5",
                "\"run_at\":9223372036854775807",
                "\"run_at\":[]",
                "\"traceparent\":\"\"",
                "\"traceparent\":\"00-0-0-0\"",
                "\"traceparent\":7",
                "\"traceparent\":\"" TRACE "0\"",
        };

        (void)state;
        for (size_t i = 0; i < COUNT(members); i++) {
                AUTO_BUFFER line = {0}, scratch = {0};
                struct event e;
                buffer_printf(&line, "{\"event\":\"started\"," HEAD ",\"attempt\":1," AT ",%s}",
                              members[i]);
                print_message("%s\n", members[i]);
                assert_int_equal(event_parse(buffer_bytes(&line), &scratch, &e), EVENT_MALFORMED);
        }
}

static void a_result_stays_on_its_line(void **state)
{
        AUTO_BUFFER out = {0}, scratch = {0};
        struct event back, event = {.kind = EVENT_COMPLETED,
                                    .id = ID,
                                    .tenant = "acme",
                                    .run = 1,
                                    .attempt = 1};

        (void)state;
        event.result = bytes_of_text("{\r\n\"a\": \"b\\n\"\n}");
        event_write(&event, &out);
        assert_ptr_equal(strchr(out.data, '\n'), out.data + out.length - 1);
        assert_int_equal(event_parse(bytes_of(out.data, out.length - 1), &scratch, &back),
                         EVENT_IS);
        assert_true(bytes_equal_text(back.result, "{  \"a\": \"b\\n\" }"));
}

static void what_a_move_says_is_read(void **state)
{
        static const char text[] = "{\"event\":\"moved\"," HEAD ",\"attempt\":2,\"copy\":7," AT
                                   ",\"by\":\"key k1x2\",\"why\":\"priority\",\"priority\":2,"
                                   "\"run_at\":1732240000500}";
        AUTO_BUFFER scratch = {0};
        char by[ACT_BY_SIZE];
        struct event e;

        (void)state;
        assert_int_equal(event_parse(bytes_of_text(text), &scratch, &e), EVENT_IS);
        assert_true(event_is_of_job(&e));
        assert_int_equal(e.copy, 7);
        assert_int_equal(e.hint.priority, PRIORITY_HIGH);
        assert_int_equal(e.hint.run_at, 1732240000500);
        assert_true(bytes_equal_text(e.why, "priority"));
        event_by(&e, by);
        assert_string_equal(by, "key k1x2");
        e.by = bytes_of_text("operation 0190a3f0-6c1e-7d3a-9b52-3c5e0f6a1b2c, and 20 bytes more.");
        event_by(&e, by);
        assert_string_equal(by, ""); /* does not fit */
}

static void an_act_has_its_own_id(void **state)
{
        static const char text[] = "{\"event\":\"acted\",\"act\":\"" ID "\"," AT ",\"status\":200}";
        AUTO_BUFFER scratch = {0};
        struct event e;

        (void)state;
        assert_int_equal(event_parse(bytes_of_text(text), &scratch, &e), EVENT_IS);
        assert_false(event_is_of_job(&e));
        assert_string_equal(e.id, ID);
        assert_true(bytes_equal_text(e.raw, text));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_make_the_round_trip),
                cmocka_unit_test(odd_lines_are_told_apart),
                cmocka_unit_test(a_start_says_what_it_runs),
                cmocka_unit_test(an_expiry_is_read_as_it_was_written),
                cmocka_unit_test(what_a_start_says_is_checked),
                cmocka_unit_test(a_result_stays_on_its_line),
                cmocka_unit_test(what_a_move_says_is_read),
                cmocka_unit_test(an_act_has_its_own_id),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
