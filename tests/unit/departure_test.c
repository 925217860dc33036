/* SPDX-License-Identifier: Apache-2.0
 *
 * departure_test.c: how an attempt ends, and with which message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/departure.h"
#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define NOW ((msec)1732250000000)

static const struct handler handler = {
        .retry = {.base = 1000, .cap = 600000, .factor = 2, .jitter = 0},
};

/* An attempt that ran as number `number` of at most 1 + max_retries. */
static struct attempt *attempt(int64_t number, int64_t max_retries)
{
        struct attempt *a = xcalloc(1, sizeof(*a));

        memcpy(a->job.id, ID, sizeof(ID));
        memcpy(a->job.tenant, "acme", 5);
        memcpy(a->job.type, "report", 7);
        a->job.lane = LANE_HIGH;
        a->job.priority = PRIORITY_HIGH;
        a->job.run = 1;
        a->job.attempt = number - 1;
        a->job.max_retries = max_retries;
        a->job.payload = bytes_of_text("{\"a\":1.10}");
        a->job.again = true; /* a mark of the message that was delivered */
        a->job.due_at = NOW - 5;
        a->job.hop = true;
        a->number = number;
        a->state = STATE_RUNNING;
        a->handler = &handler;
        return a;
}

static void release(struct attempt *a)
{
        buffer_fini(&a->error);
        free(a);
}

static bool text_is(struct bytes got, const char *want)
{
        return want == NULL ? got.data == NULL : bytes_equal_text(got, want);
}

/* clang-format off */
/* How attempt `number` ended, why it was told to stop, and which departure and message follow. */
static const struct end_case {
        struct run_end end;
        enum stop_reason stopped_for;
        int64_t number;
        enum departure want;
        const char *want_exchange, *want_reason, *want_error, *want_kind;
        int64_t want_wait;
} end_cases[] = {
        {.end = {.outcome = OUTCOME_DONE}, .number = 1,
         .want = DEPART_COMPLETE},
        {.end = {.outcome = OUTCOME_RETRY, .error_kind = ERROR_KIND_CRASH, .error = {"boom", 4}},
         .number = 1,
         .want = DEPART_RETRY, .want_exchange = "delay.1s", .want_error = "boom",
         .want_kind = "crash", .want_wait = 1000},
        {.end = {.outcome = OUTCOME_RETRY, .error_kind = ERROR_KIND_ERROR, .error = {"no", 2}},
         .number = 2,
         .want = DEPART_RETRY, .want_exchange = "delay.2s", .want_error = "no",
         .want_kind = "error", .want_wait = 2000},
        {.end = {.outcome = OUTCOME_RETRY, .error_kind = ERROR_KIND_ERROR, .error = {"no", 2},
                 .retry_after = 1800000}, .number = 1,
         .want = DEPART_RETRY, .want_exchange = "delay.30m", .want_error = "no",
         .want_kind = "error", .want_wait = 1800000},
        {.end = {.outcome = OUTCOME_RETRY, .error_kind = ERROR_KIND_TIMEOUT, .error = {"", 0}},
         .number = 3,
         .want = DEPART_BURY, .want_exchange = "dead", .want_reason = "exhausted",
         .want_error = "", .want_kind = "timeout"},
        {.end = {.outcome = OUTCOME_PERMANENT, .error_kind = ERROR_KIND_ERROR, .error = {"bad", 3}},
         .number = 1,
         .want = DEPART_BURY, .want_exchange = "dead", .want_reason = "permanent",
         .want_error = "bad", .want_kind = "error"},
        {.end = {.outcome = OUTCOME_STOPPED}, .number = 1,
         .want = DEPART_RETRY, .want_exchange = "delay.1s",
         .want_error = "the handler stopped without being asked to", .want_kind = "error",
         .want_wait = 1000},
        {.end = {.outcome = OUTCOME_STOPPED}, .stopped_for = STOP_LINK_LOST, .number = 3,
         .want = DEPART_RETRY, .want_exchange = "delay.1s",
         .want_error = "stopped: the connection to the broker was lost", .want_kind = "error",
         .want_wait = 1000},
        {.end = {.outcome = OUTCOME_STOPPED}, .stopped_for = STOP_DRAINING, .number = 3,
         .want = DEPART_GIVE_BACK},
        {.end = {.outcome = OUTCOME_DONE}, .stopped_for = STOP_DRAINING, .number = 1,
         .want = DEPART_COMPLETE},
        {.end = {.outcome = OUTCOME_DONE}, .stopped_for = STOP_LINK_LOST, .number = 1,
         .want = DEPART_COMPLETE},
        {.end = {.outcome = OUTCOME_STOPPED}, .stopped_for = STOP_CANCELLED, .number = 1,
         .want = DEPART_CANCEL},
        {.end = {.outcome = OUTCOME_RETRY, .error_kind = ERROR_KIND_ERROR, .error = {"no", 2}},
         .stopped_for = STOP_CANCELLED, .number = 1,
         .want = DEPART_CANCEL},
        {.end = {.outcome = OUTCOME_PERMANENT, .error_kind = ERROR_KIND_ERROR, .error = {"no", 2}},
         .stopped_for = STOP_CANCELLED, .number = 3,
         .want = DEPART_CANCEL},
        {.end = {.outcome = OUTCOME_DONE}, .stopped_for = STOP_CANCELLED, .number = 1,
         .want = DEPART_COMPLETE},
};
/* clang-format on */

static void assert_message(const struct message *m, const struct end_case *c)
{
        assert_true(text_is(m->exchange, c->want_exchange));
        assert_true(text_is(m->routing_key, "acme.high"));
        assert_true(text_is(m->message_id, ID));
        assert_true(text_is(m->body, "{\"a\":1.10}"));
        assert_int_equal(message_header_int(m, "x-attempt", 0), c->number);
        assert_true(text_is(message_header_text(m, "x-error"), c->want_error));
        assert_true(text_is(message_header_text(m, "x-error-kind"), c->want_kind));
        assert_true(text_is(message_header_text(m, "x-reason"), c->want_reason));
        assert_null(message_header(m, "x-again"));
        assert_null(message_header(m, "x-hop"));
        if (c->want == DEPART_RETRY)
                assert_int_equal(message_header_int(m, "x-run-at", 0), NOW + c->want_wait);
}

static void ends_become_messages(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(end_cases) / sizeof(end_cases[0]); i++) {
                const struct end_case *c = &end_cases[i];
                struct job_message *out = xcalloc(1, sizeof(*out));
                struct attempt *a = attempt(c->number, 2);
                a->stopped_for = c->stopped_for;
                departure_decide(a, &c->end, 0.5, NOW);
                assert_int_equal(a->departure, c->want);
                if (c->want == DEPART_RETRY || c->want == DEPART_BURY) {
                        departure_encode(a, false, NOW, out);
                        assert_message(&out->message, c);
                }
                release(a);
                free(out);
        }
}

static void a_lost_link_costs_no_attempt(void **state)
{
        const struct run_end end = {.outcome = OUTCOME_STOPPED};
        struct attempt *a = attempt(3, 2);

        (void)state;
        a->stopped_for = STOP_LINK_LOST;
        departure_decide(a, &end, 0.5, NOW);
        assert_int_equal(a->job.max_retries, 3);
        assert_int_equal(a->job.attempt, 3);
        release(a);
}

static void the_way_on_keeps_the_attempt(void **state)
{
        struct job_message *out = xcalloc(1, sizeof(*out));
        struct message *m = &out->message;
        struct attempt *a = attempt(2, 3);

        (void)state;
        departure_hop(a, 1000, NOW);
        departure_encode(a, false, NOW, out);
        assert_true(text_is(m->exchange, "hold.1s"));
        assert_true(m->mandatory);
        assert_int_equal(message_header_int(m, "x-attempt", 0), 1);
        assert_int_equal(message_header_int(m, "x-hop", 0), 1);
        assert_null(message_header(m, "x-again"));

        /* a hop carries this mark: the next consumer could not know it otherwise */
        a->redelivered = true;
        departure_hop(a, 10000, NOW);
        departure_encode(a, false, NOW, out);
        assert_true(text_is(m->exchange, "hold.10s"));
        assert_int_equal(message_header_int(m, "x-again", 0), 1);

        /* a hop of a job that is not due yet ends no earlier */
        a->job.run_at = NOW + 900;
        departure_hop(a, 200, NOW);
        departure_encode(a, false, NOW, out);
        assert_int_equal(message_header_int(m, "x-run-at", 0), NOW + 900);
        a->job.run_at = NOW;

        a->job.copy = 7;
        a->job.moved = MOVED_BY_ACT;
        departure_park(a, PAUSE_TENANT_TYPE);
        departure_encode(a, false, NOW, out);
        assert_true(text_is(m->exchange, "parked-tenant.acme.report"));
        assert_true(text_is(m->routing_key, "acme.high"));
        assert_true(m->mandatory);
        assert_null(message_header(m, "x-hop"));
        assert_int_equal(message_header_int(m, "x-attempt", 0), 1);
        assert_int_equal(message_header_int(m, "x-copy", 0), 7);
        assert_int_equal(message_header_int(m, "x-moved", 0), 1);
        assert_int_equal(message_header_int(m, "x-queued-at", 0), NOW);
        assert_int_equal(message_header_int(m, "x-again", 0), 1);
        departure_park(a, PAUSE_TYPE);
        departure_encode(a, false, NOW, out);
        assert_true(text_is(m->exchange, "parked.report"));

        departure_move_to_long(a);
        departure_encode(a, false, NOW, out);
        assert_true(text_is(m->exchange, "due"));
        assert_true(text_is(m->routing_key, "acme.long"));
        assert_int_equal(message_header_int(m, "x-priority", 0), PRIORITY_HIGH);

        a->job.from_outside = true;
        a->job.run_at = NOW + 5000;
        departure_delay(a);
        departure_encode(a, false, NOW, out);
        assert_true(text_is(m->exchange, "delay.5s"));
        assert_false(m->mandatory);
        assert_null(message_header(m, "x-hop"));
        assert_int_equal(message_header_int(m, "x-again", 0), 1);
        release(a);
        free(out);
}

/* It comes back when it expires; one that already has hops as it must. */
static void a_wait_ends_when_the_job_expires(void **state)
{
        static const struct {
                bool retry;
                msec expires_at, want;
        } rows[] = {
                {true, 0, NOW + 1000},         {true, NOW + 1001, NOW + 1000},
                {true, NOW + 400, NOW + 400},  {true, NOW - 400, NOW - 400},
                {false, 0, NOW + 1000},        {false, NOW + 1001, NOW + 1000},
                {false, NOW + 400, NOW + 400}, {false, NOW - 400, NOW + 1000},
        };
        const struct run_end end = {.outcome = OUTCOME_RETRY};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct job_message *out = xcalloc(1, sizeof(*out));
                struct attempt *a = attempt(1, 3);
                a->job.expires_at = rows[i].expires_at;
                if (rows[i].retry)
                        departure_decide(a, &end, 0.5, NOW);
                else
                        departure_hop(a, 1000, NOW);
                assert_int_equal(a->departure, rows[i].retry ? DEPART_RETRY : DEPART_HOP);
                assert_int_equal(a->job.run_at, rows[i].want);
                departure_encode(a, false, NOW, out);
                assert_int_equal(message_header_int(&out->message, "x-expires-at", 0),
                                 rows[i].expires_at);
                release(a);
                free(out);
        }
}

static void a_burial_keeps_its_name_when_repeated(void **state)
{
        struct job_message *out = xcalloc(1, sizeof(*out));
        struct attempt *a = attempt(1, 3);
        char burial[UUID_SIZE];

        (void)state;
        departure_bury(a, REASON_NO_HANDLER, bytes_of_text("no handler for type report"));
        departure_encode(a, false, NOW, out);
        assert_null(message_header(&out->message, "x-attempt")); /* no attempt was made */
        assert_null(message_header(&out->message, "x-again"));
        assert_int_equal(bytes_to_text(message_header_text(&out->message, "x-burial"), burial,
                                       sizeof(burial)),
                         0);
        departure_encode(a, true, NOW + 1, out);
        assert_true(text_is(message_header_text(&out->message, "x-burial"), burial));
        assert_int_equal(message_header_int(&out->message, "x-again", 0), 1);
        release(a);
        free(out);
}

static void bury_and_name(struct attempt *a, enum reason reason, char burial[UUID_SIZE])
{
        if (reason == REASON_EXHAUSTED) {
                const struct run_end end = {.outcome = OUTCOME_RETRY};
                a->job.max_retries = 0;
                departure_decide(a, &end, 0.5, NOW);
        } else {
                departure_bury(a, reason, bytes_of_text("why"));
        }
        assert_int_equal(a->departure, DEPART_BURY);
        memcpy(burial, a->job.burial, UUID_SIZE);
}

/* Two consumers that bury the same delivery write the same letter, whatever their reasons are. */
static void a_burial_is_named_by_what_is_buried(void **state)
{
        static const struct {
                const char *tenant, *id, *payload;
                int64_t run, number;
                enum reason reason;
                bool want_same; /* the same name as the first row */
        } rows[] = {
                {"acme", ID, "1", 1, 2, REASON_EXHAUSTED, true},
                {"acme", ID, "1", 1, 2, REASON_EXHAUSTED, true},
                {"acme", ID, "1", 1, 2, REASON_NO_HANDLER, true},
                {"acme", ID, "1", 1, 2, REASON_POISON, true},
                {"acme", ID, "1", 1, 3, REASON_EXHAUSTED, false},
                {"acme", ID, "1", 2, 2, REASON_EXHAUSTED, false},
                {"acme", ID, "2", 1, 2, REASON_EXHAUSTED, false},
                {"acme2", ID, "1", 1, 2, REASON_EXHAUSTED, false},
                {"acme", "01902f5e-7b1a-7000-8000-000000000002", "1", 1, 2, REASON_EXHAUSTED,
                 false},
        };
        char first[UUID_SIZE] = "", next[UUID_SIZE];

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct attempt *a = attempt(rows[i].number, 3);
                snprintf(a->job.tenant, sizeof(a->job.tenant), "%s", rows[i].tenant);
                snprintf(a->job.id, sizeof(a->job.id), "%s", rows[i].id);
                a->job.payload = bytes_of_text(rows[i].payload);
                a->job.run = rows[i].run;
                bury_and_name(a, rows[i].reason, i == 0 ? first : next);
                if (i > 0)
                        assert_int_equal(strcmp(first, next) == 0, rows[i].want_same);
                release(a);
        }
}

static void what_was_buried_is_buried_as_it_was(void **state)
{
        static const struct {
                enum reason reason;
                int64_t want_attempt;
        } rows[] = {
                {REASON_EXHAUSTED, 4},
                {REASON_PERMANENT, 4},
                {REASON_POISON, 4},
                {REASON_NO_HANDLER, 3}, /* no attempt is charged */
        };
        char first[UUID_SIZE];

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct job_message *out = xcalloc(1, sizeof(*out));
                const struct message *m = &out->message;
                struct attempt *a = attempt(4, 3), *again = attempt(4, 3);
                bury_and_name(a, rows[i].reason, first);
                departure_bury_again(again, rows[i].reason, ERROR_KIND_TIMEOUT,
                                     bytes_of_text("too slow"));
                departure_encode(again, false, NOW, out);
                assert_true(text_is(m->exchange, "dead"));
                assert_true(text_is(message_header_text(m, "x-burial"), first));
                assert_true(
                        text_is(message_header_text(m, "x-reason"), reason_word(rows[i].reason)));
                assert_true(text_is(message_header_text(m, "x-error"), "too slow"));
                assert_true(text_is(message_header_text(m, "x-error-kind"), "timeout"));
                assert_int_equal(message_header_int(m, "x-attempt", 0), rows[i].want_attempt);
                assert_int_equal(message_header_int(m, "x-again", 0), 1);
                release(a);
                release(again);
                free(out);
        }
}

/* content_type text/plain, headers {"a": true} and the given ones, delivery_mode 2. */
#define LIST(length, headers) "\xb0\0\x0atext/plain\0\0\0" length "\1at\1" headers "\2"
#define COUNTED "\x10x-delivery-countl\0\0\0\0\0\0\0\1"

static const struct foreign {
        const char *key, *body;
        struct bytes properties;
        bool want_same; /* the same name as the first row */
} foreigners[] = {
        {"low", "not json", {LIST("\4", ""), sizeof(LIST("\4", "")) - 1}, true},
        {"low", "not json", {LIST("\x1e", COUNTED), sizeof(LIST("\x1e", COUNTED)) - 1}, true},
        {"low", "not json", {LIST("\7", "\1bV"), sizeof(LIST("\7", "\1bV")) - 1}, false},
        {"low", "no json", {LIST("\4", ""), sizeof(LIST("\4", "")) - 1}, false},
        {"high", "not json", {LIST("\4", ""), sizeof(LIST("\4", "")) - 1}, false},
        {"low", "not json", {"no list", 7}, false},
};

static void bury_foreign(const struct foreign *f, struct job_message *out, struct attempt *a)
{
        struct tenant t = {.name = "acme"};
        struct tenant_queue queue = {.tenant = &t, .lane = LANE_LOW};
        const struct message m = {.exchange = bytes_of_text("jobs.acme"),
                                  .routing_key = bytes_of_text(f->key),
                                  .properties = f->properties,
                                  .body = bytes_of_text(f->body)};

        memcpy(a->job.claimed_id, ID, sizeof(ID));
        a->job.tenant[0] = '\0';
        departure_prepare_malformed(&a->job, &queue, &m);
        departure_bury(a, REASON_MALFORMED, bytes_of_text("the body is not one JSON value"));
        departure_encode(a, false, NOW, out);
}

static void a_foreign_message_is_buried_under_its_own_id(void **state)
{
        struct job_message *out = xcalloc(1, sizeof(*out));
        struct attempt *a = attempt(7, 3);
        const struct message *m = &out->message;
        char id[UUID_SIZE];

        (void)state;
        bury_foreign(&foreigners[0], out, a);
        assert_true(text_is(m->exchange, "dead"));
        assert_true(text_is(m->routing_key, "acme.low"));
        assert_true(text_is(m->body, "not json"));
        assert_true(text_is(message_header_text(m, "x-claimed-id"), ID));
        assert_true(bytes_equal(message_header_text(m, "x-original"), foreigners[0].properties));
        assert_null(message_header(m, "x-attempt"));
        assert_true(uuid_parse(m->message_id, id));
        assert_string_not_equal(id, ID);
        release(a);
        free(out);
}

/* Every burial of the same message makes the same letter; another message makes another. */
static void a_foreign_message_is_named_by_its_content(void **state)
{
        char id[UUID_SIZE] = "", burial[UUID_SIZE] = "";

        (void)state;
        for (size_t i = 0; i < sizeof(foreigners) / sizeof(foreigners[0]); i++) {
                struct job_message *out = xcalloc(1, sizeof(*out));
                struct attempt *a = attempt(1, 3);
                bury_foreign(&foreigners[i], out, a);
                if (i == 0) {
                        memcpy(id, a->job.id, sizeof(id));
                        memcpy(burial, a->job.burial, sizeof(burial));
                }
                assert_int_equal(strcmp(a->job.id, id) == 0, foreigners[i].want_same);
                assert_int_equal(strcmp(a->job.burial, burial) == 0, foreigners[i].want_same);
                release(a);
                free(out);
        }
}

static void what_has_no_room_in_a_burial_is_cut(void **state)
{
        AUTO_FREE char *list = xcalloc(1, JOB_ORIGINAL_MAX + 1);
        const struct foreign f = {"low", "x", {list, JOB_ORIGINAL_MAX + 1}, false};
        struct job_message *out = xcalloc(1, sizeof(*out));
        struct attempt *a = attempt(1, 3);

        (void)state;
        bury_foreign(&f, out, a);
        assert_int_equal(message_header_text(&out->message, "x-original").length, JOB_ORIGINAL_MAX);
        release(a);
        free(out);
}

static void errors_are_cut_between_characters(void **state)
{
        struct attempt *a = attempt(1, 0);
        AUTO_BUFFER text = {0};

        (void)state;
        buffer_add_char(&text, 'x');
        while (text.length < 2 * JOB_ERROR_MAX)
                buffer_add_text(&text, "\xe2\x82\xac");
        departure_bury(a, REASON_PERMANENT, buffer_bytes(&text));
        assert_int_in_range(a->job.error.length, JOB_ERROR_MAX - 3, JOB_ERROR_MAX);
        assert_true(bytes_are_utf8(a->job.error));
        release(a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ends_become_messages),
                cmocka_unit_test(a_lost_link_costs_no_attempt),
                cmocka_unit_test(the_way_on_keeps_the_attempt),
                cmocka_unit_test(a_wait_ends_when_the_job_expires),
                cmocka_unit_test(a_burial_keeps_its_name_when_repeated),
                cmocka_unit_test(a_burial_is_named_by_what_is_buried),
                cmocka_unit_test(what_was_buried_is_buried_as_it_was),
                cmocka_unit_test(a_foreign_message_is_buried_under_its_own_id),
                cmocka_unit_test(a_foreign_message_is_named_by_its_content),
                cmocka_unit_test(what_has_no_room_in_a_burial_is_cut),
                cmocka_unit_test(errors_are_cut_between_characters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
