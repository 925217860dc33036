/* SPDX-License-Identifier: Apache-2.0
 *
 * pack_test.c: job messages that go through a pack; what is no pack; what of a pack does not count;
 * and packs that are broken anywhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/pack.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/job.h"
#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define NOW ((msec)1732250000000)
#define BYTES(text) bytes_of(text, sizeof(text) - 1)

struct heard {
        unsigned count, again;
        uint64_t skipped;
        struct message last; /* borrows from the pack */
};

static void hear(void *owner, const struct message *m)
{
        struct heard *h = owner;

        h->count++;
        h->again += message_header_int(m, "x-again", 0) == 1;
        h->last = *m;
}

static struct message pack_message(struct bytes body)
{
        return (struct message){.exchange = bytes_of_text("events"),
                                .routing_key = bytes_of_text(""),
                                .content_type = bytes_of_text(PACK_CONTENT_TYPE),
                                .user_id = bytes_of_text("warren-gateway"),
                                .timestamp = -1,
                                .body = body};
}

static struct heard hear_pack(struct bytes body)
{
        const struct message m = pack_message(body);
        struct heard h = {0};

        pack_each(&m, hear, &h, &h.skipped);
        return h;
}

/* From a copy of exact size: the sanitizer sees a read past its end. */
static struct heard hear_copy(struct bytes body)
{
        AUTO_FREE char *copy = xmalloc(body.length + (body.length == 0));
        if (body.length > 0)
                memcpy(copy, body.data, body.length);
        struct heard h = hear_pack(bytes_of(copy, body.length));

        h.last = (struct message){0};
        return h;
}

static void check(const char *name, struct heard got, unsigned count, uint64_t skipped)
{
        if (got.count != count || got.skipped != skipped)
                fail_msg("%s: %u messages and %llu skipped, not %u and %llu", name, got.count,
                         (unsigned long long)got.skipped, count, (unsigned long long)skipped);
}

static struct message plain(const char *exchange, struct bytes body)
{
        return (struct message){.exchange = bytes_of_text(exchange),
                                .routing_key = bytes_of_text("acme.high"),
                                .message_id = bytes_of_text(ID),
                                .body = body};
}

static int try_add(struct buffer *pack, const char *exchange, struct bytes body)
{
        const struct message m = plain(exchange, body);
        struct err e = {0};
        int status = pack_add(pack, &m, &e);

        if (status != 0 && e.code != ERR_FULL)
                fail_msg("%s", e.text);
        return status;
}

static void add(struct buffer *pack, const char *exchange, struct bytes body)
{
        assert_int_equal(try_add(pack, exchange, body), 0);
}

static void assert_same(struct bytes got, struct bytes want)
{
        assert_int_equal(got.data == NULL, want.data == NULL);
        assert_true(bytes_equal(got, want));
}

static void assert_same_message(const struct message *got, const struct message *want)
{
        assert_same(got->exchange, want->exchange);
        assert_same(got->routing_key, want->routing_key);
        assert_same(got->message_id, want->message_id);
        assert_same(got->type, want->type);
        assert_same(got->content_type, want->content_type);
        assert_same(got->app_id, want->app_id);
        assert_same(got->body, want->body);
        assert_int_equal(got->timestamp, want->timestamp > 0 ? want->timestamp : -1);
        assert_int_equal(got->delivery_mode, want->delivery_mode);
        assert_int_equal(got->header_count, want->header_count);
        for (size_t i = 0; i < want->header_count; i++) {
                assert_same(got->headers[i].name, want->headers[i].name);
                assert_int_equal(got->headers[i].kind, want->headers[i].kind);
                assert_true(bytes_equal(got->headers[i].text, want->headers[i].text));
                assert_int_equal(got->headers[i].number, want->headers[i].number);
        }
}

static void round_trip(const struct message *m)
{
        AUTO_BUFFER pack = {0};
        struct err e = {0};

        if (pack_add(&pack, m, &e) != 0)
                fail_msg("%s", e.text);
        struct heard h = hear_pack(buffer_bytes(&pack));
        check("round trip", h, 1, 0);
        assert_same_message(&h.last, m);
        assert_true(bytes_equal_text(h.last.user_id, "warren-gateway"));
        assert_false(h.last.mandatory);
}

static void properties_and_headers_come_back(void **state)
{
        char names[MESSAGE_HEADERS_MAX][16];
        struct message m = plain("work", bytes_of_text("{\"n\":1.50}"));

        (void)state;
        round_trip(&m);
        m.body = bytes_of_text("");
        m.routing_key = bytes_of_text("");
        round_trip(&m);
        m.type = bytes_of_text("send_email");
        m.content_type = bytes_of_text("application/json");
        m.app_id = BYTES("a\0b");
        m.timestamp = NOW / 1000;
        m.delivery_mode = 2;
        m.mandatory = true;
        message_add_int(&m, "x-least", INT64_MIN);
        message_add_int(&m, "x-most", INT64_MAX);
        message_add_text(&m, "x-empty", bytes_of_text(""));
        message_add_text(&m, "x-any", BYTES("\xff\0\xfe"));
        round_trip(&m);
        for (size_t i = m.header_count; i < MESSAGE_HEADERS_MAX; i++) {
                snprintf(names[i], sizeof(names[i]), "x-%zu", i);
                message_add_int(&m, names[i], (int64_t)i);
        }
        round_trip(&m);
}

/* What job_decode makes of the message directly and of its entry is the same job. */
static void a_job_comes_back(void **state)
{
        const struct job_limits limits = {.payload_max = 10};
        struct job job = {.id = ID,
                          .tenant = "acme",
                          .type = "send_email",
                          .priority = PRIORITY_HIGH,
                          .lane = LANE_LONG,
                          .run = 2,
                          .copy = 1,
                          .max_retries = 7,
                          .timeout = 20000,
                          .run_at = NOW + 30000,
                          .submitted_at = NOW - 5000,
                          .again = true,
                          .doubt = true,
                          .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                          .key = "k",
                          .key_hash = "h",
                          .app_id = bytes_of_text("gateway@host"),
                          .payload = bytes_of_text("{\"longer\":\"than payload_max\"}")};
        struct job_message sent;
        struct job want, got;
        AUTO_BUFFER pack = {0};

        (void)state;
        job_encode(&job, STATION_SUBMISSION, NOW, &sent);
        assert_int_equal(pack_add(&pack, &sent.message, NULL), 0);
        struct heard h = hear_pack(buffer_bytes(&pack));
        check("job", h, 1, 0);
        assert_same_message(&h.last, &sent.message);
        sent.message.user_id = bytes_of_text("warren-gateway");
        assert_int_equal(job_decode(&sent.message, &limits, 0, &want, NULL), 0);
        assert_int_equal(job_decode(&h.last, &limits, 0, &got, NULL), 0);
        assert_memory_equal(&got, &want, offsetof(struct job, error));
        assert_same(got.app_id, job.app_id);
        assert_same(got.payload, job.payload);
        assert_true(got.doubt && got.again && !got.from_outside);
        assert_string_equal(got.traceparent, job.traceparent);
        assert_int_equal(got.due_at, NOW + 30000);
}

static void a_pack_holds_64(void **state)
{
        AUTO_BUFFER pack = {0};

        (void)state;
        for (int i = 0; i < PACK_JOBS_MAX; i++)
                add(&pack, "work", bytes_of_text("1"));
        check("64", hear_copy(buffer_bytes(&pack)), PACK_JOBS_MAX, 0);
        add(&pack, "work", bytes_of_text("1"));
        check("65", hear_copy(buffer_bytes(&pack)), PACK_JOBS_MAX, 1);
}

static void a_pack_has_a_size(void **state)
{
        AUTO_FREE char *body = xcalloc(1, PACK_BYTES_MAX + 1);
        AUTO_BUFFER pack = {0}, first = {0};

        (void)state;
        add(&pack, "hold.1s", bytes_of_text("1"));
        size_t entry = pack.length - 1 - 1; /* without the version and the body */
        buffer_set(&first, buffer_bytes(&pack));
        size_t most = PACK_BYTES_MAX - pack.length - entry;
        assert_int_equal(try_add(&pack, "hold.1s", bytes_of(body, most + 1)), -1);
        assert_true(bytes_equal(buffer_bytes(&pack), buffer_bytes(&first)));
        assert_int_equal(try_add(&pack, "hold.1s", bytes_of(body, most)), 0);
        assert_int_equal(pack.length, PACK_BYTES_MAX);
        check("full", hear_copy(buffer_bytes(&pack)), 2, 0);
        assert_int_equal(try_add(&pack, "hold.1s", bytes_of_text("")), -1);

        /* A larger one is alone. */
        buffer_clear(&pack);
        add(&pack, "work", bytes_of(body, PACK_BYTES_MAX + 1));
        struct heard h = hear_pack(buffer_bytes(&pack));
        check("larger", h, 1, 0);
        assert_int_equal(h.last.body.length, PACK_BYTES_MAX + 1);
        assert_int_equal(try_add(&pack, "work", bytes_of_text("")), -1);
        check("larger", hear_pack(buffer_bytes(&pack)), 1, 0);
}

static void what_no_frame_holds_is_refused(void **state)
{
        char name[257];
        struct message m = plain("work", bytes_of_text("1"));
        AUTO_BUFFER pack = {0};
        struct err e = {0};

        (void)state;
        memset(name, 'a', sizeof(name));
        m.routing_key = bytes_of(name, 256);
        assert_int_equal(pack_add(&pack, &m, &e), -1);
        assert_int_equal(e.code, ERR_INVALID);
        assert_int_equal(pack.length, 0);
        m.routing_key = bytes_of(name, 255);
        assert_int_equal(pack_add(&pack, &m, NULL), 0);
        size_t before = pack.length;
        AUTO_FREE char *text = xcalloc(1, 128 * 1024);
        message_add_text(&m, "x-error", bytes_of(text, 128 * 1024));
        err_clear(&e);
        assert_int_equal(pack_add(&pack, &m, &e), -1);
        assert_int_equal(e.code, ERR_TOO_LARGE);
        assert_int_equal(pack.length, before);
        check("earlier ones", hear_pack(buffer_bytes(&pack)), 1, 0);
}

/* All others are passed on as they are. */
static void only_the_gateway_publishes_packs(void **state)
{
        static const struct {
                const char *exchange, *type, *user;
                bool want;
        } rows[] = {
                {"events", PACK_CONTENT_TYPE, "warren-gateway", true},
                {"events", PACK_CONTENT_TYPE, "warren-consumer", false},
                {"events", PACK_CONTENT_TYPE, "warren-gateway2", false},
                {"events", PACK_CONTENT_TYPE, "tenant-acme", false},
                {"events", PACK_CONTENT_TYPE, NULL, false},
                {"events", "application/x-ndjson", "warren-gateway", false},
                {"events", "application/json", "warren-gateway", false},
                {"events", NULL, "warren-gateway", false},
                {"jobs.acme", PACK_CONTENT_TYPE, "warren-gateway", false},
                {"delay.1s", PACK_CONTENT_TYPE, "warren-gateway", false},
                {"work", PACK_CONTENT_TYPE, "warren-gateway", false},
                {"due", PACK_CONTENT_TYPE, "warren-gateway", false},
                {"dead", PACK_CONTENT_TYPE, "warren-gateway", false},
                {"events2", PACK_CONTENT_TYPE, "warren-gateway", false},
        };
        AUTO_BUFFER pack = {0};

        (void)state;
        add(&pack, "work", bytes_of_text("1"));
        add(&pack, "work", bytes_of_text("2"));
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct message m = pack_message(buffer_bytes(&pack));
                struct heard h = {0};
                m.exchange = bytes_of_text(rows[i].exchange);
                m.content_type = bytes_of_text(rows[i].type);
                m.user_id = bytes_of_text(rows[i].user);
                pack_each(&m, hear, &h, &h.skipped);
                check(rows[i].exchange, h, rows[i].want ? 2 : 1, 0);
                assert_same(h.last.body, rows[i].want ? bytes_of_text("2") : m.body);
                assert_same(h.last.user_id, m.user_id);
        }
}

static void only_submissions_are_entries(void **state)
{
        static const struct {
                const char *exchange;
                bool want;
        } rows[] = {{"work", true},   {"hold.1s", true},    {"hold.30d", true},  {"hold", false},
                    {"works", false}, {"jobs.acme", false}, {"delay.1s", false}, {"due", false},
                    {"dead", false},  {"events", false},    {"control", false},  {"", false}};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                AUTO_BUFFER pack = {0};
                add(&pack, rows[i].exchange, bytes_of_text("1"));
                add(&pack, "work", bytes_of_text("2"));
                struct heard h = hear_pack(buffer_bytes(&pack));
                check(rows[i].exchange, h, rows[i].want ? 2 : 1, rows[i].want ? 0 : 1);
        }
}

static void a_pack_in_a_pack_does_not_count(void **state)
{
        AUTO_BUFFER inner = {0}, pack = {0};

        (void)state;
        add(&inner, "work", bytes_of_text("1"));
        const struct message m = pack_message(buffer_bytes(&inner));
        assert_int_equal(pack_add(&pack, &m, NULL), 0);
        check("a pack in a pack", hear_pack(buffer_bytes(&pack)), 0, 1);
}

/* The broker has not checked it. */
static void the_user_id_of_an_entry_does_not_count(void **state)
{
        struct message m = plain("work", bytes_of_text("1"));
        AUTO_BUFFER pack = {0};

        (void)state;
        m.properties = BYTES("\x00\x10\x0cwarren-admin");
        assert_int_equal(pack_add(&pack, &m, NULL), 0);
        struct heard h = hear_pack(buffer_bytes(&pack));
        check("user_id", h, 1, 0);
        assert_true(bytes_equal_text(h.last.user_id, "warren-gateway"));
}

static void what_was_told_again_is_marked(void **state)
{
        struct message first = plain("work", bytes_of_text("1")), second = first, third = first;
        AUTO_BUFFER pack = {0};
        struct heard h = {0};

        (void)state;
        message_add_int(&second, "x-again", 1);
        while (third.header_count < MESSAGE_HEADERS_MAX)
                message_add_int(&third, "x-other", 1);
        assert_int_equal(pack_add(&pack, &first, NULL), 0);
        assert_int_equal(pack_add(&pack, &second, NULL), 0);
        struct message m = pack_message(buffer_bytes(&pack));
        pack_each(&m, hear, &h, &h.skipped);
        assert_int_equal(h.again, 1);
        message_add_int(&m, "x-again", 1);
        h = (struct heard){0};
        pack_each(&m, hear, &h, &h.skipped);
        assert_int_equal(h.again, 2);
        assert_int_equal(h.last.header_count, 1);

        /* An entry without room for the mark counts all the same. */
        buffer_clear(&pack);
        assert_int_equal(pack_add(&pack, &third, NULL), 0);
        m.body = buffer_bytes(&pack);
        h = (struct heard){0};
        pack_each(&m, hear, &h, &h.skipped);
        check("no room", h, 1, 0);
}

/* Entries before the cut count. */
static void a_pack_may_be_cut_anywhere(void **state)
{
        enum { ENTRIES = 3 };
        size_t ends[ENTRIES];
        AUTO_BUFFER pack = {0};
        unsigned whole = 0;

        (void)state;
        for (size_t i = 0; i < ENTRIES; i++) {
                struct message m = plain(i == 1 ? "hold.1s" : "work", bytes_of_text("{\"a\":1}"));
                m.type = bytes_of_text("noop");
                m.timestamp = 1;
                message_add_int(&m, "x-queued-at", NOW);
                message_add_text(&m, "traceparent", bytes_of_text("00-"));
                assert_int_equal(pack_add(&pack, &m, NULL), 0);
                ends[i] = pack.length;
        }
        for (size_t length = 0; length <= pack.length; length++) {
                bool at_end = whole < ENTRIES && length == ends[whole];
                whole += at_end;
                check("cut", hear_copy(bytes_of(pack.data, length)), whole, at_end ? 0 : 1);
        }
        assert_int_equal(whole, ENTRIES);
}

static void what_is_broken_ends_the_pack(void **state)
{
        static const struct {
                const char *name;
                struct bytes body;
                unsigned count;
                uint64_t skipped;
        } rows[] = {
#define RAW(text) {text, sizeof(text) - 1}
#define GOOD "\x04work\x01k\0\0\0\2\0\0\0\0\0\1x"
                {"nothing", RAW(""), 0, 1},
                {"version 0", RAW("\0" GOOD), 0, 1},
                {"version 1", RAW("\1" GOOD), 1, 0},
                {"version 2", RAW("\2" GOOD), 0, 1},
                {"version 255", RAW("\xff" GOOD), 0, 1},
                {"no entry", RAW("\1"), 0, 1},
                {"a byte follows", RAW("\1" GOOD "\0"), 1, 1},
                {"huge exchange", RAW("\1\xffwork\x01k\0\0\0\2\0\0\0\0\0\1x"), 0, 1},
                {"huge key", RAW("\1\4work\xffk\0\0\0\2\0\0\0\0\0\1x"), 0, 1},
                {"huge list", RAW("\1\4work\1k\xff\xff\xff\xff\0\0\0\0\0\1x"), 0, 1},
                {"list of 2 GiB", RAW("\1\4work\1k\x7f\xff\xff\xff\0\0\0\0\0\1x"), 0, 1},
                {"list of all", RAW("\1\4work\1k\0\0\0\7\0\0\0\0\0\1x"), 0, 1},
                {"huge body", RAW("\1\4work\1k\0\0\0\2\0\0\xff\xff\xff\xffx"), 0, 1},
                {"body of 2 GiB", RAW("\1\4work\1k\0\0\0\2\0\0\x80\0\0\0x"), 0, 1},
                {"one byte short", RAW("\1\4work\1k\0\0\0\2\0\0\0\0\0\2x"), 0, 1},
                {"no list", RAW("\1\4work\1k\0\0\0\0\0\0\0\1x"), 0, 1},
                {"unknown flags", RAW("\1\4work\1k\0\0\0\2\0\1\0\0\0\1x"), 0, 1},
                {"list broken", RAW("\1\4work\1k\0\0\0\2\0\x80\0\0\0\1x"), 0, 1},
                {"second broken", RAW("\1" GOOD "\4work\1k\0\0\0\2\0\x80\0\0\0\1x"), 1, 1},
                {"a good one follows", RAW("\1\4work\1k\0\0\0\2\0\x80\0\0\0\1x" GOOD), 0, 1},
                {"empty names", RAW("\1\0\0\0\0\0\2\0\0\0\0\0\0"), 0, 1},
#undef GOOD
#undef RAW
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++)
                check(rows[i].name, hear_copy(rows[i].body), rows[i].count, rows[i].skipped);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(properties_and_headers_come_back),
                cmocka_unit_test(a_job_comes_back),
                cmocka_unit_test(a_pack_holds_64),
                cmocka_unit_test(a_pack_has_a_size),
                cmocka_unit_test(what_no_frame_holds_is_refused),
                cmocka_unit_test(only_the_gateway_publishes_packs),
                cmocka_unit_test(only_submissions_are_entries),
                cmocka_unit_test(a_pack_in_a_pack_does_not_count),
                cmocka_unit_test(the_user_id_of_an_entry_does_not_count),
                cmocka_unit_test(what_was_told_again_is_marked),
                cmocka_unit_test(a_pack_may_be_cut_anywhere),
                cmocka_unit_test(what_is_broken_ends_the_pack),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
