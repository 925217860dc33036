/* SPDX-License-Identifier: Apache-2.0
 *
 * event_test.c: events out of job messages and lines, and lines written.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/model/event.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define HEAD "\"id\":\"" ID "\",\"tenant\":\"acme\",\"run\":1"
#define AT "\"at\":1732250000123"
#define NOW ((msec)1732250000000)

static const struct job_limits limits = {.payload_max = 1000};

/* Everything said of an event before its loans end. */
struct heard {
        int count;
        uint64_t skipped;
        enum event_kind kind;
        int64_t attempt, run;
        msec at;
        enum reason reason;
        bool scheduled, soon, has_job;
        char id[UUID_SIZE];
};

static void hear(void *owner, const struct event *e)
{
        struct heard *h = owner;

        h->count++;
        h->kind = e->kind;
        h->attempt = e->attempt;
        h->run = e->run;
        h->at = e->at;
        h->reason = e->reason;
        h->scheduled = e->scheduled;
        h->soon = e->soon;
        h->has_job = e->has_job;
        memcpy(h->id, e->id, sizeof(h->id));
}

static void lines_make_the_round_trip(void **state)
{
        static const struct {
                const char *text;
                enum event_kind want;
        } rows[] = {
                {"{\"event\":\"started\"," HEAD ",\"attempt\":1," AT
                 ",\"worker\":\"host-a/4711\",\"redelivered\":false}\n",
                 EVENT_STARTED},
                {"{\"event\":\"completed\"," HEAD ",\"attempt\":1," AT
                 ",\"ms\":27,\"result\":{\"bytes\":5120}}\n",
                 EVENT_COMPLETED},
                {"{\"event\":\"progress\"," HEAD ",\"attempt\":1," AT
                 ",\"progress\":0.4,\"message\":\"page 4 \\\"of\\\" 10\"}\n",
                 EVENT_PROGRESS},
                {"{\"event\":\"cancel_requested\"," HEAD ",\"attempt\":1," AT
                 ",\"by\":\"key k1x2\"}\n",
                 EVENT_CANCEL_REQUESTED},
                {"{\"event\":\"cancelled\"," HEAD "," AT
                 ",\"by\":\"key k1x2\",\"running\":false}\n",
                 EVENT_CANCELLED},
                {"{\"event\":\"rejected\"," HEAD ",\"attempt\":1," AT ",\"why\":\"broker nack\"}\n",
                 EVENT_REJECTED},
                {"{\"event\":\"buried\"," HEAD ",\"attempt\":1," AT
                 ",\"reason\":\"unroutable\",\"burial\":\"b\"}\n",
                 EVENT_DEAD},
                {"{\"event\":\"forgotten\"," HEAD "," AT ",\"by\":\"key k1x2\"}\n",
                 EVENT_FORGOTTEN},
                {"{\"event\":\"worker\",\"worker\":\"host-a/4711\"," AT
                 ",\"started\":1732240000000,\"state\":\"up\",\"running\":[{\"id\":\"" ID
                 "\"}],\"types\":[\"a\"]}\n",
                 EVENT_WORKER},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                AUTO_BUFFER scratch = {0}, out = {0};
                struct event event;
                struct bytes line = bytes_of(rows[i].text, strlen(rows[i].text) - 1);
                assert_int_equal(event_parse(line, &scratch, &event), EVENT_IS);
                assert_int_equal(event.kind, rows[i].want);
                assert_int_equal(event.at, NOW + 123);
                assert_int_equal(event.unknown, 0);
                event_write(&event, &out);
                assert_string_equal(out.data, rows[i].text);
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
                {"{\"event\":\"forgotten\"," HEAD "," AT ",\"mood\":[{}]}", EVENT_IS},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                AUTO_BUFFER scratch = {0};
                struct event event;
                assert_int_equal(event_parse(bytes_of_text(rows[i].text), &scratch, &event),
                                 rows[i].want);
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

static void a_message_of_lines_is_heard_in_order(void **state)
{
        struct message m = {0};
        struct heard h = {0};

        (void)state;
        m.exchange = bytes_of_text("events");
        m.content_type = bytes_of_text(EVENTS_CONTENT_TYPE);
        m.body = bytes_of_text("{\"event\":\"started\"," HEAD ",\"attempt\":1," AT "}\n"
                               "\n"
                               "nonsense\n"
                               "{\"event\":\"moon\"}\n"
                               "{\"event\":\"completed\"," HEAD ",\"attempt\":1," AT ",\"odd\":1}");
        events_of_message(&m, &limits, hear, &h, &h.skipped);
        assert_int_equal(h.count, 2);
        assert_int_equal(h.kind, EVENT_COMPLETED);
        assert_int_equal(h.skipped, 3);

        const struct bytes lines = m.body;
        m.body = bytes_of_text(""); /* a link's probe */
        events_of_message(&m, &limits, hear, &h, &h.skipped);
        assert_int_equal(h.count, 2);
        assert_int_equal(h.skipped, 3);

        m.body = lines;
        m.content_type = bytes_of_text("text/plain");
        events_of_message(&m, &limits, hear, &h, &h.skipped);
        assert_int_equal(h.count, 2);
        assert_int_equal(h.skipped, 4);
}

static void job_messages_are_events(void **state)
{
        static const struct {
                const char *exchange, *key, *user;
                int64_t attempt, hop, due_at, run_at;
                const char *reason;
                int want_count;
                uint64_t want_skipped;
                enum event_kind want;
                int64_t want_attempt;
                bool want_scheduled;
                enum reason want_reason;
                bool want_soon;
        } rows[] = {
                {"jobs.acme", "high", NULL, 5, 1, 0, 0, NULL, 1, 0, EVENT_SUBMITTED, 1, false, 0,
                 false},
                {"jobs.acme", "high", "warren-gateway", 2, 0, 0, 0, NULL, 1, 0, EVENT_SUBMITTED, 3,
                 false, 0, false},
                {"jobs.acme", "high", "warren-gateway", 0, 0, 0, NOW, NULL, 1, 0, EVENT_SUBMITTED,
                 1, false, 0, true},
                {"jobs.acme", "high", "warren-gateway", 0, 0, 0, NOW - 9, NULL, 1, 0,
                 EVENT_SUBMITTED, 1, false, 0, false},
                {"jobs.acme", "high", NULL, 0, 0, 0, NOW, NULL, 1, 0, EVENT_SUBMITTED, 1, false, 0,
                 false},
                {"jobs.acme", "bogus", NULL, 0, 0, 0, 0, NULL, 0, 1, EVENT_SUBMITTED, 0, false, 0,
                 false},
                {"delay.30s", "acme.high", "warren-gateway", 0, 0, NOW, NOW, NULL, 1, 0,
                 EVENT_SUBMITTED, 1, true, 0, false},
                {"delay.30s", "acme.high", "warren-consumer", 2, 0, NOW, NOW, NULL, 1, 0,
                 EVENT_FAILED, 2, true, 0, false},
                {"delay.30s", "acme.high", "warren-consumer", 2, 1, NOW, NOW, NULL, 0, 0,
                 EVENT_FAILED, 0, false, 0, false},
                {"due", "acme.high", "warren-consumer", 2, 0, NOW, NOW + 100, NULL, 1, 0, EVENT_DUE,
                 3, false, 0, false},
                {"due", "acme.high", "warren-consumer", 2, 1, NOW, NOW, NULL, 1, 0, EVENT_DUE, 3,
                 false, 0, false},
                {"due", "acme.high", "warren-consumer", 2, 0, NOW, NOW + 101, NULL, 0, 0, EVENT_DUE,
                 0, false, 0, false},
                {"due", "acme.long", "warren-consumer", 0, 0, 0, 0, NULL, 0, 0, EVENT_DUE, 0, false,
                 0, false},
                {"dead", "acme.high", "warren-consumer", 4, 0, 0, 0, "exhausted", 1, 0, EVENT_DEAD,
                 4, false, REASON_EXHAUSTED, false},
                {"dead", "acme.high", "warren-consumer", 1, 0, 0, 0, NULL, 1, 0, EVENT_DEAD, 2,
                 false, REASON_DELIVERY_LIMIT, false},
                {"dead", "acme.high", NULL, 9, 0, 0, 0, "exhausted", 1, 0, EVENT_DEAD, 1, false,
                 REASON_DELIVERY_LIMIT, false},
                {"sync", "", "warren-gateway", 0, 0, 0, 0, NULL, 0, 1, EVENT_DEAD, 0, false, 0,
                 false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct heard h = {0};
                struct message m = {0};
                m.exchange = bytes_of_text(rows[i].exchange);
                m.routing_key = bytes_of_text(rows[i].key);
                m.user_id = bytes_of_text(rows[i].user);
                m.message_id = bytes_of_text(ID);
                m.type = bytes_of_text("t");
                m.content_type = bytes_of_text("application/json");
                m.delivery_mode = 2;
                m.body = bytes_of_text("{}");
                message_add_int(&m, "x-attempt", rows[i].attempt);
                message_add_int(&m, "x-hop", rows[i].hop);
                message_add_int(&m, "x-due-at", rows[i].due_at);
                message_add_int(&m, "x-run-at", rows[i].run_at);
                message_add_int(&m, "x-queued-at", NOW - 7);
                message_add_int(&m, "x-submitted-at", NOW - 9);
                message_add_text(&m, "x-death", bytes_of_text("forged"));
                if (rows[i].reason != NULL)
                        message_add_text(&m, "x-reason", bytes_of_text(rows[i].reason));
                events_of_message(&m, &limits, hear, &h, &h.skipped);
                assert_int_equal(h.count, rows[i].want_count);
                assert_int_equal(h.skipped, rows[i].want_skipped);
                if (h.count == 0)
                        continue;
                assert_int_equal(h.kind, rows[i].want);
                assert_int_equal(h.attempt, rows[i].want_attempt);
                assert_int_equal(h.scheduled, rows[i].want_scheduled);
                assert_int_equal(h.soon, rows[i].want_soon);
                assert_int_equal(h.reason, rows[i].want_reason);
                assert_int_equal(h.at, rows[i].user == NULL ? NOW - 9 : NOW - 7);
                assert_true(h.has_job);
        }
}

static void a_malformed_burial_is_an_event_whatever_its_body(void **state)
{
        struct message m = {0};
        struct heard h = {0};

        (void)state;
        m.exchange = bytes_of_text("dead");
        m.routing_key = bytes_of_text("acme.low");
        m.user_id = bytes_of_text("warren-consumer");
        m.message_id = bytes_of_text(ID);
        m.body = bytes_of("\0\xff{", 3);
        message_add_text(&m, "x-reason", bytes_of_text("malformed"));
        message_add_text(&m, "x-claimed-id", bytes_of_text("someone-else"));
        events_of_message(&m, &limits, hear, &h, &h.skipped);
        assert_int_equal(h.count, 1);
        assert_int_equal(h.kind, EVENT_DEAD);
        assert_int_equal(h.reason, REASON_MALFORMED);
        assert_string_equal(h.id, ID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_make_the_round_trip),
                cmocka_unit_test(odd_lines_are_told_apart),
                cmocka_unit_test(a_result_stays_on_its_line),
                cmocka_unit_test(a_message_of_lines_is_heard_in_order),
                cmocka_unit_test(job_messages_are_events),
                cmocka_unit_test(a_malformed_burial_is_an_event_whatever_its_body),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
