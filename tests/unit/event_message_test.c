/* SPDX-License-Identifier: Apache-2.0
 *
 * event_message_test.c: events read from messages: a job's, and those of lines.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "common/model/event.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define HEAD "\"id\":\"" ID "\",\"tenant\":\"acme\",\"run\":1"
#define AT "\"at\":1732250000123"
#define NOW ((msec)1732250000000)

static const struct job_limits limits = {.payload_max = 1000};

/* What the callback got, copied: an event's texts are valid only during the call. */
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
        m.body = bytes_of_text(""); /* the probe of a link */
        events_of_message(&m, &limits, hear, &h, &h.skipped);
        assert_int_equal(h.count, 2);
        assert_int_equal(h.skipped, 3);

        m.body = lines;
        m.content_type = bytes_of_text("text/plain");
        events_of_message(&m, &limits, hear, &h, &h.skipped);
        assert_int_equal(h.count, 2);
        assert_int_equal(h.skipped, 4);
}

/* clang-format off */
/* A job message and the event it becomes; attempt 0: none. */
static const struct job_case {
        const char *exchange, *key, *user, *reason, *first_death;
        int64_t attempt, hop, due_at, run_at, moved;
        enum event_kind want;
        int64_t want_attempt;
        bool want_scheduled, want_soon;
        enum reason want_reason;
        uint64_t want_skipped;
} job_cases[] = {
        {.exchange = "jobs.acme", .key = "high", .attempt = 5, .hop = 1,
         .want = EVENT_SUBMITTED, .want_attempt = 1},
        {.exchange = "jobs.acme", .key = "high", .user = "warren-gateway", .attempt = 2,
         .want = EVENT_SUBMITTED, .want_attempt = 3},
        {.exchange = "jobs.acme", .key = "high", .user = "warren-gateway", .run_at = NOW,
         .want = EVENT_SUBMITTED, .want_attempt = 1, .want_soon = true},
        {.exchange = "jobs.acme", .key = "high", .user = "warren-gateway", .run_at = NOW - 9,
         .want = EVENT_SUBMITTED, .want_attempt = 1},
        {.exchange = "jobs.acme", .key = "high", .run_at = NOW,
         .want = EVENT_SUBMITTED, .want_attempt = 1},
        {.exchange = "jobs.acme", .key = "bogus", .want_skipped = 1},
        {.exchange = "delay.30s", .key = "acme.high", .user = "warren-gateway", .due_at = NOW,
         .run_at = NOW,
         .want = EVENT_SUBMITTED, .want_attempt = 1, .want_scheduled = true},
        {.exchange = "delay.30s", .key = "acme.high", .user = "warren-consumer", .attempt = 2,
         .due_at = NOW, .run_at = NOW,
         .want = EVENT_FAILED, .want_attempt = 2, .want_scheduled = true},
        {.exchange = "delay.30s", .key = "acme.high", .user = "warren-consumer", .attempt = 2,
         .hop = 1, .due_at = NOW, .run_at = NOW},
        /* A copy waits for the attempt after those that were made. */
        {.exchange = "delay.30s", .key = "acme.high", .user = "warren-operator", .attempt = 2,
         .moved = 1, .due_at = NOW, .run_at = NOW,
         .want = EVENT_SUBMITTED, .want_attempt = 3, .want_scheduled = true},
        {.exchange = "delay.30s", .key = "acme.high", .user = "warren-operator", .attempt = 2,
         .moved = 1, .hop = 1, .due_at = NOW, .run_at = NOW},
        {.exchange = "delay.30s", .key = "acme.high", .moved = 1, .attempt = 2, .due_at = NOW,
         .run_at = NOW,
         .want = EVENT_SUBMITTED, .want_attempt = 1, .want_scheduled = true},
        {.exchange = "jobs.acme", .key = "high", .user = "warren-operator", .attempt = 2,
         .moved = 2,
         .want = EVENT_SUBMITTED, .want_attempt = 3},
        {.exchange = "work", .key = "acme.high", .user = "warren-gateway",
         .want = EVENT_SUBMITTED, .want_attempt = 1},
        {.exchange = "work", .key = "acme.high", .user = "warren-gateway", .run_at = NOW,
         .want = EVENT_SUBMITTED, .want_attempt = 1, .want_soon = true},
        {.exchange = "work", .key = "high", .user = "warren-gateway", .want_skipped = 1},
        {.exchange = "hold.30s", .key = "acme.high", .user = "warren-gateway", .due_at = NOW,
         .run_at = NOW,
         .want = EVENT_SUBMITTED, .want_attempt = 1, .want_scheduled = true},
        {.exchange = "hold.30s", .key = "acme.high", .user = "warren-gateway", .hop = 1,
         .due_at = NOW, .run_at = NOW},
        {.exchange = "due", .key = "acme.high", .user = "warren-consumer", .attempt = 2,
         .due_at = NOW, .run_at = NOW + 1000,
         .want = EVENT_DUE, .want_attempt = 3},
        {.exchange = "due", .key = "acme.high", .user = "warren-consumer", .attempt = 2, .hop = 1,
         .due_at = NOW, .run_at = NOW,
         .want = EVENT_DUE, .want_attempt = 3},
        {.exchange = "due", .key = "acme.high", .user = "warren-consumer", .attempt = 2,
         .due_at = NOW, .run_at = NOW + 1001},
        {.exchange = "due", .key = "acme.long", .user = "warren-consumer"},
        {.exchange = "dead", .key = "acme.high", .user = "warren-consumer", .attempt = 4,
         .reason = "exhausted",
         .want = EVENT_DEAD, .want_attempt = 4, .want_reason = REASON_EXHAUSTED},
        {.exchange = "dead", .key = "acme.high", .user = "warren-consumer", .attempt = 1,
         .want = EVENT_DEAD, .want_attempt = 2, .want_reason = REASON_DELIVERY_LIMIT},
        {.exchange = "dead", .key = "acme.high", .attempt = 9, .reason = "exhausted",
         .want = EVENT_DEAD, .want_attempt = 1, .want_reason = REASON_DELIVERY_LIMIT},
        {.exchange = "dead", .key = "acme.high", .first_death = "rejected",
         .want = EVENT_DEAD, .want_attempt = 1, .want_reason = REASON_DELIVERY_LIMIT},
        {.exchange = "dead", .key = "acme.high", .first_death = "expired",
         .want = EVENT_DEAD, .want_attempt = 1, .want_reason = REASON_EXPIRED},
        /* This job came through a delay queue. */
        {.exchange = "dead", .key = "acme.high", .user = "warren-consumer", .attempt = 1,
         .first_death = "expired",
         .want = EVENT_DEAD, .want_attempt = 2, .want_reason = REASON_DELIVERY_LIMIT},
        {.exchange = "sync", .key = "", .user = "warren-gateway", .want_skipped = 1},
};
/* clang-format on */

static void fill(struct message *m, const struct job_case *c)
{
        m->exchange = bytes_of_text(c->exchange);
        m->routing_key = bytes_of_text(c->key);
        m->user_id = bytes_of_text(c->user);
        m->message_id = bytes_of_text(ID);
        m->type = bytes_of_text("t");
        m->content_type = bytes_of_text("application/json");
        m->delivery_mode = 2;
        m->body = bytes_of_text("{}");
        message_add_int(m, "x-attempt", c->attempt);
        message_add_int(m, "x-hop", c->hop);
        message_add_int(m, "x-moved", c->moved);
        message_add_int(m, "x-due-at", c->due_at);
        message_add_int(m, "x-run-at", c->run_at);
        message_add_int(m, "x-queued-at", NOW - 7);
        message_add_int(m, "x-submitted-at", NOW - 9);
        message_add_text(m, "x-death", bytes_of_text("forged"));
        if (c->reason != NULL)
                message_add_text(m, "x-reason", bytes_of_text(c->reason));
        if (c->first_death != NULL)
                message_add_text(m, "x-first-death-reason", bytes_of_text(c->first_death));
}

static void job_messages_are_events(void **state)
{
        (void)state;
        for (const struct job_case *c = job_cases; c < job_cases + COUNT(job_cases); c++) {
                struct heard h = {0};
                struct message m = {0};
                fill(&m, c);
                events_of_message(&m, &limits, hear, &h, &h.skipped);
                assert_int_equal(h.count, c->want_attempt > 0 ? 1 : 0);
                assert_int_equal(h.skipped, c->want_skipped);
                if (h.count == 0)
                        continue;
                assert_int_equal(h.kind, c->want);
                assert_int_equal(h.attempt, c->want_attempt);
                assert_int_equal(h.scheduled, c->want_scheduled);
                assert_int_equal(h.soon, c->want_soon);
                assert_int_equal(h.reason, c->want_reason);
                /* A service writes the time of its publish; a burial by the broker has no time. */
                bool timed = c->user != NULL && c->want_reason != REASON_DELIVERY_LIMIT;
                assert_int_equal(h.at, timed ? NOW - 7 : 0);
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
                cmocka_unit_test(a_message_of_lines_is_heard_in_order),
                cmocka_unit_test(job_messages_are_events),
                cmocka_unit_test(a_malformed_burial_is_an_event_whatever_its_body),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
