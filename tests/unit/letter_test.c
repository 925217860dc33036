/* SPDX-License-Identifier: Apache-2.0
 *
 * letter_test.c: how messages of `dead` and `unroutable` become letters; the body of a replay
 * request.
 */
#include <limits.h>
#include <string.h>

#include "dlx-monitor/edit.h"
#include "dlx-monitor/letter.h"
#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define BURIAL "01902f5e-7b1a-7000-8000-00000000000b"
#define NOW ((msec)1732250000000)

static void fill(struct message *m, const char *exchange, const char *key, const char *user)
{
        memset(m, 0, sizeof(*m));
        m->exchange = bytes_of_text(exchange);
        m->routing_key = bytes_of_text(key);
        m->user_id = bytes_of_text(user);
        m->message_id = bytes_of_text(ID);
        m->type = bytes_of_text("send_email");
        m->content_type = bytes_of_text("application/json");
        m->delivery_mode = 2;
        m->body = bytes_of_text("{}");
}

static void messages_become_letters(void **state)
{
        static const struct {
                const char *exchange, *key, *user, *reason, *message_id, *body;
                enum letter_source source;
                bool want_own_id; /* the job's id is the one in the message */
                const char *want_tenant;
                enum reason want_reason;
                int64_t want_attempt;
                bool want_announce, want_by_content;
        } rows[] = {
                {"dead", "acme.high", "warren-consumer", "exhausted", ID, "{}", FROM_DEAD, true,
                 "acme", REASON_EXHAUSTED, 4, false, false},
                {"dead", "acme.high", "warren-consumer", "malformed", ID, "{", FROM_DEAD, true,
                 "acme", REASON_MALFORMED, 4, false, false},
                {"dead", "acme.high", "warren-consumer", NULL, ID, "{}", FROM_DEAD, true, "acme",
                 REASON_DELIVERY_LIMIT, 5, true, false},
                {"dead", "acme.high", NULL, "exhausted", ID, "{}", FROM_DEAD, true, "acme",
                 REASON_DELIVERY_LIMIT, 1, true, false},
                {"dead", "acme.high", NULL, NULL, ID, "{", FROM_DEAD, false, "acme",
                 REASON_DELIVERY_LIMIT, 1, true, false},
                {"jobs.acme", "bogus", NULL, NULL, ID, "{}", FROM_UNROUTABLE, true, "acme",
                 REASON_UNROUTABLE, 1, true, true},
                {"jobs.acme", "bogus", NULL, NULL, "x", "{}", FROM_UNROUTABLE, false, "acme",
                 REASON_UNROUTABLE, 1, true, true},
                {"jobs.acme", "bogus", NULL, NULL, ID, "{", FROM_UNROUTABLE, false, "acme",
                 REASON_UNROUTABLE, 1, true, true},
                {"due", "acme.high", "warren-consumer", NULL, ID, "{}", FROM_UNROUTABLE, true,
                 "acme", REASON_UNROUTABLE, 5, true, true},
                {"elsewhere", "k", NULL, NULL, ID, "{}", FROM_UNROUTABLE, false, "",
                 REASON_UNROUTABLE, 1, false, true},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char parsed[UUID_SIZE];
                struct message m;
                struct letter l;
                fill(&m, rows[i].exchange, rows[i].key, rows[i].user);
                m.message_id = bytes_of_text(rows[i].message_id);
                m.body = bytes_of_text(rows[i].body);
                message_add_int(&m, "x-attempt", 4);
                if (rows[i].reason != NULL) {
                        message_add_text(&m, "x-reason", bytes_of_text(rows[i].reason));
                        message_add_text(&m, "x-burial", bytes_of_text(BURIAL));
                }
                letter_of_message(&m, rows[i].source, NOW, &l);
                assert_true(uuid_parse(bytes_of_text(l.id), parsed));
                assert_true(uuid_parse(bytes_of_text(l.job_id), parsed));
                assert_int_equal(strcmp(l.job_id, ID) == 0, rows[i].want_own_id);
                if (!rows[i].want_own_id)
                        assert_string_equal(l.claimed_id, rows[i].message_id);
                assert_string_equal(l.tenant, rows[i].want_tenant);
                assert_int_equal(l.reason, rows[i].want_reason);
                assert_int_equal(l.attempt, rows[i].want_attempt);
                assert_int_equal(l.announce, rows[i].want_announce);
                assert_int_equal(l.by_content, rows[i].want_by_content);
                if (rows[i].source == FROM_UNROUTABLE)
                        assert_true(l.error.length > 0);
        }
}

static void a_redelivery_is_the_same_burial(void **state)
{
        /* Headers with one-byte names, and delivery_mode. */
        static const char wire[] = "\x30\0\0\0\0\7\1zt\1\1aV\2",
                          wire_again[] = "\x30\0\0\0\0\x21\1aV"
                                         "\x10x-delivery-countl\0\0\0\0\0\0\0\1\1zt\1\2",
                          wire_other[] = "\x30\0\0\0\0\7\1zt\0\1aV\2";
        const struct {
                struct bytes properties;
                const char *key, *body;
                bool want_same; /* the same burial as the first row */
        } rows[] = {
                {bytes_of(wire, sizeof(wire) - 1), "bogus", "{}", true},
                {bytes_of(wire_again, sizeof(wire_again) - 1), "bogus", "{}", true},
                {bytes_of(wire_other, sizeof(wire_other) - 1), "bogus", "{}", false},
                {bytes_of(wire, sizeof(wire) - 1), "bogus", "[]", false},
                {bytes_of(wire, sizeof(wire) - 1), "bogus2", "{}", false},
                {bytes_of_text("no property list"), "bogus", "{}", false},
        };
        struct letter first, next;

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct message m;
                fill(&m, "jobs.acme", rows[i].key, NULL);
                m.properties = rows[i].properties;
                m.body = bytes_of_text(rows[i].body);
                letter_of_message(&m, FROM_UNROUTABLE, NOW + (msec)i, i == 0 ? &first : &next);
                if (i > 0)
                        assert_int_equal(strcmp(first.burial, next.burial) == 0, rows[i].want_same);
        }
}

/* Property lists that have only headers. Names and texts are shorter than 10 bytes. */
#define LONG_TEXT(length, text) "S\0\0\0" length text
#define REASON(length, text) "\6reason" LONG_TEXT(length, text)
#define DEATH(size, entry) "F\0\0\0" size entry
#define HEADERS(size, headers) bytes_of("\x20\0\0\0\0" size headers, sizeof(size headers) + 4)
#define EXPIRED DEATH("\x13", REASON("\7", "expired"))
#define REJECTED DEATH("\x14", REASON("\x8", "rejected"))
#define DEATHS(size, entries) "\7x-deathA\0\0\0" size entries

static void what_the_broker_did_last_is_its_reason(void **state)
{
        const struct {
                struct bytes properties;
                enum reason want;
        } rows[] = {
                {HEADERS("\x25", DEATHS("\x18", EXPIRED)), REASON_EXPIRED},
                {HEADERS("\x26", DEATHS("\x19", REJECTED)), REASON_DELIVERY_LIMIT},
                {HEADERS("\x3e", DEATHS("\x31", EXPIRED REJECTED)), REASON_EXPIRED},
                {HEADERS("\x3e", DEATHS("\x31", REJECTED EXPIRED)), REASON_DELIVERY_LIMIT},
                /* Of two headers with this name, the first is the broker's. */
                {HEADERS("\x4b", DEATHS("\x18", EXPIRED) DEATHS("\x19", REJECTED)), REASON_EXPIRED},
                {HEADERS("\x4b", DEATHS("\x19", REJECTED) DEATHS("\x18", EXPIRED)),
                 REASON_DELIVERY_LIMIT},
                /* Values that no broker writes. */
                {HEADERS("\x0d", DEATHS("\0", "")), REASON_DELIVERY_LIMIT},
                {HEADERS("\x0f", DEATHS("\2", "b\1")), REASON_DELIVERY_LIMIT},
                {HEADERS("\x12", DEATHS("\5", DEATH("\0", ""))), REASON_DELIVERY_LIMIT},
                {HEADERS("\x1b", DEATHS("\xe", DEATH("\x9", "\6reasonb\1"))),
                 REASON_DELIVERY_LIMIT},
                {HEADERS("\x14", "\7x-death" LONG_TEXT("\7", "expired")), REASON_DELIVERY_LIMIT},
                {bytes_of("\x20\0\0\0\0\0", 6), REASON_DELIVERY_LIMIT},
                {bytes_of("\0\0", 2), REASON_DELIVERY_LIMIT},
                {bytes_of_text("no property list"), REASON_DELIVERY_LIMIT},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct message m;
                struct letter l;
                fill(&m, "dead", "acme.low", NULL);
                m.properties = rows[i].properties;
                letter_of_message(&m, FROM_DEAD, NOW, &l);
                assert_int_equal(l.reason, rows[i].want);
                assert_true(l.announce);
        }
}

static void the_longest_burial_name_fits(void **state)
{
        struct message m;
        struct letter l;

        (void)state;
        fill(&m, "dead", "abcdefghijklmnopqrstuvwxyz012345.critical", "warren-gateway");
        message_add_int(&m, "x-run", INT64_MAX);
        message_add_int(&m, "x-attempt", INT64_MAX);
        letter_of_message(&m, FROM_DEAD, NOW, &l);
        assert_int_equal(memcmp(l.burial, "broker:", 7), 0);
        assert_int_equal(strlen(strrchr(l.burial, '/')), 17);
}

/* A letter of a malformed message has the message's original properties, not those of its
 * burial. */
static void a_burial_carries_what_it_buried(void **state)
{
        static const struct {
                const char *user, *reason;
                bool want_original;
        } rows[] = {
                {"warren-consumer", "malformed", true},
                {"warren-consumer", "exhausted", false},
                {"tenant-acme", "malformed", false}, /* forged */
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct message m;
                struct letter l;
                fill(&m, "dead", "acme.high", rows[i].user);
                m.properties = bytes_of_text("its own");
                message_add_text(&m, "x-reason", bytes_of_text(rows[i].reason));
                message_add_text(&m, "x-original", bytes_of_text("as they came"));
                letter_of_message(&m, FROM_DEAD, NOW, &l);
                assert_true(bytes_equal_text(l.properties,
                                             rows[i].want_original ? "as they came" : "its own"));
        }
}

#define NOT_JSON "the body is not one JSON value: a string does not end at line 1, column 9, "

static void quoted_values_do_not_split_a_group(void **state)
{
        const struct bytes one = bytes_of_text("message_id is not a UUID: \"one\"");
        const struct bytes other = bytes_of_text("message_id is not a UUID: \"other\"");
        char a[LETTER_GROUP_SIZE], b[LETTER_GROUP_SIZE];

        (void)state;
        letter_group("", REASON_MALFORMED, one, a);
        letter_group("", REASON_MALFORMED, other, b);
        assert_string_equal(a, b);
        letter_group("", REASON_PERMANENT, one, a); /* the error is the handler's own text */
        letter_group("", REASON_PERMANENT, other, b);
        assert_string_not_equal(a, b);
        /* the broker buried it, whose body is broken: a group must not tell one body from another
         */
        letter_group("", REASON_EXPIRED, bytes_of_text(NOT_JSON "near \"one\""), a);
        letter_group("", REASON_EXPIRED, bytes_of_text(NOT_JSON "near \"other\""), b);
        assert_string_equal(a, b);
}

static void numbers_do_not_split_a_group(void **state)
{
        static const struct {
                const char *a, *b;
                bool want_same;
        } rows[] = {
                {"timeout after 30 s", "timeout after 31 s", true},
                {"no user 0190-ab12", "no user 77ff-9", true},
                {"port 5672 refused", "port 5672 closed", false},
                {"first line\nat 1", "first line\nelsewhere", true},
                {"", "", true},
                {"a1b2", "zz9", true},
                {"abc", "abd", false},
        };
        char a[LETTER_GROUP_SIZE], b[LETTER_GROUP_SIZE];

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                letter_group("t", REASON_EXHAUSTED, bytes_of_text(rows[i].a), a);
                letter_group("t", REASON_EXHAUSTED, bytes_of_text(rows[i].b), b);
                assert_int_equal(strcmp(a, b) == 0, rows[i].want_same);
                letter_group("other", REASON_EXHAUSTED, bytes_of_text(rows[i].a), b);
                assert_string_not_equal(a, b);
        }
}

static void edits_are_read(void **state)
{
        static const struct {
                const char *body;
                int want; /* status of the refusal; 0: accepted */
                const char *want_pointer, *want_payload, *want_type;
                int want_priority;
        } rows[] = {
                {"", 0, NULL, NULL, NULL, -1},
                {"{}", 0, NULL, NULL, NULL, -1},
                {"{\"payload\": {\"a\":1.10} }", 0, NULL, "{\"a\":1.10}", NULL, -1},
                {"{\"payload\":null}", 0, NULL, "null", NULL, -1},
                {"{\"type\":\"other\",\"priority\":\"high\"}", 0, NULL, NULL, "other",
                 PRIORITY_HIGH},
                {"{\"type\":null,\"priority\":null}", 0, NULL, NULL, NULL, -1},
                {"{\"tenant\":null}", 422, "/tenant", NULL, NULL, -1},
                {"{\"priority\":0}", 0, NULL, NULL, NULL, PRIORITY_LOW},
                {"{\"priority\":4}", 422, "/priority", NULL, NULL, -1},
                {"{\"priority\":\"long\"}", 422, "/priority", NULL, NULL, -1},
                {"{\"priority\":1.0}", 422, "/priority", NULL, NULL, -1},
                {"{\"type\":\"Other\"}", 422, "/type", NULL, NULL, -1},
                {"{\"type\":5}", 422, "/type", NULL, NULL, -1},
                {"{\"tenant\":\"x\"}", 422, "/tenant", NULL, NULL, -1},
                {"{\"run_at\":\"2024-11-23T00:00:00Z\"}", 0, NULL, NULL, NULL, -1},
                {"{\"run_at\":null}", 0, NULL, NULL, NULL, -1},
                {"{\"run_at\":1732250000}", 422, "/run_at", NULL, NULL, -1},
                {"{\"run_at\":\"tomorrow\"}", 422, "/run_at", NULL, NULL, -1},
                {"{\"run_at\":\"2024-11-23T00:00:00Z\\u0000\"}", 422, "/run_at", NULL, NULL, -1},
                {"{\"run_at\":\"2026-11-23T00:00:00Z\"}", 422, "/run_at", NULL, NULL, -1},
                {"[]", 422, "", NULL, NULL, -1},
                {"{\"payload\":", 400, NULL, NULL, NULL, -1},
                {"{\"payload\":1,\"payload\":2}", 400, NULL, NULL, NULL, -1},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct scan_fault fault = {0};
                struct replay_edit edit;
                int got = edit_parse(bytes_of_text(rows[i].body), NOW, &edit, &fault);
                assert_int_equal(got, rows[i].want);
                if (rows[i].want_pointer != NULL)
                        assert_string_equal(fault.pointer, rows[i].want_pointer);
                if (got != 0)
                        continue;
                assert_int_equal(edit.priority, rows[i].want_priority);
                assert_true(bytes_equal(edit.payload, bytes_of_text(rows[i].want_payload)));
                assert_string_equal(edit.type, rows[i].want_type == NULL ? "" : rows[i].want_type);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(messages_become_letters),
                cmocka_unit_test(a_redelivery_is_the_same_burial),
                cmocka_unit_test(what_the_broker_did_last_is_its_reason),
                cmocka_unit_test(the_longest_burial_name_fits),
                cmocka_unit_test(a_burial_carries_what_it_buried),
                cmocka_unit_test(quoted_values_do_not_split_a_group),
                cmocka_unit_test(numbers_do_not_split_a_group),
                cmocka_unit_test(edits_are_read),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
