/* SPDX-License-Identifier: Apache-2.0
 *
 * job_test.c: job_decode on valid, invalid and hostile job messages.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/job.h"
#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define NOW ((msec)1732250000000)

static const struct job_limits limits = {.payload_max = 1000};

static void fill(struct message *m, const char *exchange, const char *key, const char *user)
{
        memset(m, 0, sizeof(*m));
        m->exchange = bytes_of_text(exchange);
        m->routing_key = bytes_of_text(key);
        m->user_id = bytes_of_text(user);
        m->message_id = bytes_of_text(ID);
        m->type = bytes_of_text("send_email");
        m->content_type = bytes_of_text("application/json");
        m->timestamp = -1;
        m->delivery_mode = 2;
        m->body = bytes_of_text("{\"to\":1.10}");
}

static void origins_are_told(void **state)
{
        static const struct {
                const char *exchange, *key;
                const char *want_tenant; /* NULL: none */
                int want_lane;           /* -1: the lane is not set */
        } rows[] = {
                {"jobs.acme", "high", "acme", LANE_HIGH},
                {"jobs.acme", "bogus", "acme", -1},
                {"jobs.acme", "other.high", "acme", -1},
                {"jobs.Acme", "high", NULL, -1},
                {"jobs.", "high", NULL, -1},
                {"delay.30s", "acme.long", "acme", LANE_LONG},
                {"due", "acme.low", "acme", LANE_LOW},
                {"work", "acme.high", "acme", LANE_HIGH},
                {"work", "high", NULL, -1},
                {"dead", "acme.what", "acme", -1},
                {"dead", "acme", NULL, -1},
                {"dead", "", NULL, -1},
                {"", ".high", NULL, -1},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char tenant[TENANT_SIZE];
                enum lane lane = (enum lane)LANE_COUNT;
                struct message m;
                fill(&m, rows[i].exchange, rows[i].key, NULL);
                assert_int_equal(job_message_origin(&m, tenant, &lane),
                                 rows[i].want_tenant != NULL);
                if (rows[i].want_tenant != NULL)
                        assert_string_equal(tenant, rows[i].want_tenant);
                assert_int_equal(lane, rows[i].want_lane < 0 ? LANE_COUNT : rows[i].want_lane);
        }
}

static void add_every_service_header(struct message *m)
{
        message_add_text(m, "x-key", bytes_of_text("k"));
        message_add_text(m, "x-key-hash", bytes_of_text("h"));
        message_add_int(m, "x-run", 3);
        message_add_int(m, "x-attempt", 2);
        message_add_int(m, "x-copy", 4);
        message_add_int(m, "x-outside", 0);
        message_add_int(m, "x-queued-at", NOW);
        message_add_text(m, "x-error", bytes_of_text("boom"));
        message_add_text(m, "x-error-kind", bytes_of_text("crash"));
        message_add_text(m, "x-reason", bytes_of_text("poison"));
        message_add_text(m, "x-burial", bytes_of_text(ID));
        message_add_int(m, "x-again", 1);
        message_add_int(m, "x-doubt", 1);
        message_add_int(m, "x-due-at", NOW + 5);
        message_add_int(m, "x-hop", 1);
        message_add_int(m, "x-unhandled-at", NOW - 7);
        message_add_text(m, "x-claimed-id", bytes_of_text("me"));
}

static void from_outside_only_eight_headers_count(void **state)
{
        static const char *const users[] = {NULL, "", "tenant-acme", "warren", "Warren-gateway"};
        struct message m;
        struct job job;

        (void)state;
        for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
                struct err e = {0};
                fill(&m, "jobs.acme", "high", users[i]);
                add_every_service_header(&m);
                message_add_int(&m, "x-max-retries", 9);
                message_add_int(&m, "x-expires-at", NOW + 9);
                assert_int_equal(job_decode(&m, &limits, NOW, &job, &e), 0);
                assert_true(job.from_outside && job.outside);
                assert_int_equal(job.expires_at, NOW + 9);
                assert_int_equal(job.max_retries, 9);
                assert_int_equal(job.run, 1);
                assert_int_equal(job.attempt + job.copy + job.queued_at + job.due_at, 0);
                assert_int_equal(job.unhandled_at, 0);
                assert_false(job.hop || job.again || job.doubt);
                assert_string_equal(job.key, "");
                assert_string_equal(job.key_hash, "");
                assert_string_equal(job.burial, "");
                assert_string_equal(job.claimed_id, "");
                assert_null(job.error.data);
                assert_int_equal(job.reason, REASON_NONE);
                assert_int_equal(job.error_kind, ERROR_KIND_NONE);
        }
}

static void from_a_service_all_headers_count(void **state)
{
        struct message m;
        struct err e = {0};
        struct job job;

        (void)state;
        fill(&m, "jobs.acme", "high", "warren-consumer");
        add_every_service_header(&m);
        message_add_int(&m, "x-delay", 1000);
        assert_int_equal(job_decode(&m, &limits, NOW, &job, &e), 0);
        assert_false(job.from_outside || job.outside);
        assert_int_equal(job.run, 3);
        assert_int_equal(job.attempt, 2);
        assert_int_equal(job.copy, 4);
        assert_int_equal(job.queued_at, NOW);
        assert_int_equal(job.due_at, NOW + 5);
        assert_int_equal(job.unhandled_at, NOW - 7);
        assert_true(job.hop && job.again && job.doubt);
        assert_string_equal(job.key, "k");
        assert_string_equal(job.burial, ID);
        assert_string_equal(job.claimed_id, "me");
        assert_true(bytes_equal_text(job.error, "boom"));
        assert_int_equal(job.reason, REASON_POISON);
        assert_int_equal(job.error_kind, ERROR_KIND_CRASH);
        assert_int_equal(job.run_at, 0); /* x-delay counts only in messages from outside */
}

static int64_t field_of(const struct job *job, const char *header)
{
        if (strcmp(header, "x-max-retries") == 0)
                return job->max_retries;
        if (strcmp(header, "x-timeout-ms") == 0)
                return job->timeout;
        if (strcmp(header, "x-run-at") == 0 || strcmp(header, "x-delay") == 0)
                return job->run_at;
        if (strcmp(header, "x-expires-at") == 0)
                return job->expires_at;
        if (strcmp(header, "x-submitted-at") == 0)
                return job->submitted_at;
        if (strcmp(header, "x-priority") == 0)
                return job->priority;
        if (strcmp(header, "x-run") == 0)
                return job->run;
        if (strcmp(header, "x-attempt") == 0)
                return job->attempt;
        assert_string_equal(header, "x-copy");
        return job->copy;
}

static void numbers_are_clamped(void **state)
{
        static const struct {
                const char *user, *header;
                int64_t value, want;
        } rows[] = {
                {NULL, "x-max-retries", 101, 100},
                {NULL, "x-max-retries", -1, 0},
                {NULL, "x-max-retries", INT64_MIN, 0},
                {NULL, "x-timeout-ms", 0, 100},
                {NULL, "x-timeout-ms", 99, 100},
                {NULL, "x-timeout-ms", INT64_MAX, 86400000},
                {NULL, "x-run-at", -5, 0},
                {NULL, "x-run-at", INT64_MAX, NOW + JOB_DELAY_MAX},
                {NULL, "x-run-at", NOW + JOB_DELAY_MAX, NOW + JOB_DELAY_MAX},
                {NULL, "x-expires-at", INT64_MIN, 1},
                {NULL, "x-expires-at", 0, 1},
                {NULL, "x-expires-at", 7, 7},
                {NULL, "x-expires-at", INT64_MAX, 253402300799999},
                {NULL, "x-delay", -5, 0},
                {NULL, "x-delay", 30000, NOW + 30000},
                {NULL, "x-delay", INT64_MAX, NOW + JOB_DELAY_MAX},
                {NULL, "x-submitted-at", INT64_MIN, 0},
                {NULL, "x-submitted-at", INT64_MAX, 253402300799999},
                {NULL, "x-priority", 7, 3},
                {NULL, "x-priority", -7, 0},
                {NULL, "x-attempt", INT64_MAX, 0},
                {NULL, "x-attempt", -1, 0},
                {NULL, "x-run", (int64_t)1 << 31, 1},
                {"warren-consumer", "x-run-at", INT64_MAX, 253402300799999},
                {"warren-gateway", "x-run", -1, 1},
                {"warren-gateway", "x-run", INT64_MAX, (int64_t)1 << 53},
                {"warren-gateway", "x-attempt", INT64_MIN, 0},
                {"warren-gateway", "x-attempt", INT64_MAX, (int64_t)1 << 53},
                {"warren-gateway", "x-copy", (int64_t)1 << 53, (int64_t)1 << 53},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct message m;
                struct err e = {0};
                struct job job;
                fill(&m, "jobs.acme", "long", rows[i].user);
                message_add_int(&m, rows[i].header, rows[i].value);
                assert_int_equal(job_decode(&m, &limits, NOW, &job, &e), 0);
                assert_int_equal(field_of(&job, rows[i].header), rows[i].want);
        }
}

/* Its wait ends when it expires. */
static void a_job_is_due_no_later_than_it_expires(void **state)
{
        static const struct {
                msec run_at, expires_at, want;
        } rows[] = {
                {NOW + 10, 0, NOW + 10},        {NOW + 10, NOW + 11, NOW + 10},
                {NOW + 10, NOW + 9, NOW + 9},   {0, NOW + 9, 0},
                {NOW + 10, NOW - 99, NOW - 99},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct message m;
                struct err e = {0};
                struct job job;
                fill(&m, "jobs.acme", "high", NULL);
                message_add_int(&m, "x-run-at", rows[i].run_at);
                if (rows[i].expires_at != 0)
                        message_add_int(&m, "x-expires-at", rows[i].expires_at);
                assert_int_equal(job_decode(&m, &limits, NOW, &job, &e), 0);
                assert_int_equal(job.run_at, rows[i].want);
        }
        const struct job job = {.expires_at = NOW}, never = {0};
        assert_false(job_has_expired(&job, NOW - 1));
        assert_true(job_has_expired(&job, NOW));
        assert_false(job_has_expired(&never, NOW));
}

static void a_known_header_of_another_type_is_refused(void **state)
{
        static const struct {
                const char *name, *user;
                enum header_kind kind;
                const char *want; /* part of the error; NULL: it is a job */
        } rows[] = {
                {"x-max-retries", NULL, HEADER_STRING, "x-max-retries is not an integer"},
                {"x-timeout-ms", NULL, HEADER_OTHER, "x-timeout-ms is not an integer"},
                {"x-run-at", NULL, HEADER_STRING, "x-run-at is not an integer"},
                {"x-expires-at", NULL, HEADER_STRING, "x-expires-at is not an integer"},
                {"x-run-at", "tenant-acme", HEADER_OTHER, "x-run-at is not an integer"},
                {"x-delay", NULL, HEADER_NESTED, "x-delay is not an integer"},
                {"x-priority", NULL, HEADER_STRING, "x-priority is not an integer"},
                {"x-submitted-at", NULL, HEADER_NESTED, "x-submitted-at is not an integer"},
                {"traceparent", NULL, HEADER_INT, "traceparent is not a string"},
                {"x-attempt", NULL, HEADER_STRING, NULL},
                {"x-death", NULL, HEADER_NESTED, NULL},
                {"x-mine", NULL, HEADER_OTHER, NULL},
                {"x-run-at", "warren-consumer", HEADER_STRING, NULL},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct message m;
                struct err e = {0};
                struct job job;
                fill(&m, "jobs.acme", "high", rows[i].user);
                m.headers[m.header_count++] = (struct header){.name = bytes_of_text(rows[i].name),
                                                              .kind = rows[i].kind,
                                                              .text = bytes_of_text("tomorrow")};
                int got = job_decode(&m, &limits, NOW, &job, &e);
                assert_int_equal(got, rows[i].want == NULL ? 0 : -1);
                if (rows[i].want == NULL)
                        continue;
                assert_non_null(strstr(e.text, rows[i].want));
                assert_string_equal(job.claimed_id, ID);
        }
}

static void a_delay_counts_from_the_submission(void **state)
{
        static const struct {
                msec submitted_at; /* 0: no header */
                int64_t timestamp;
                msec run_at; /* 0: no header */
                msec want;
        } rows[] = {
                {0, -1, 0, NOW + 5000},
                /* not too early: the whole second counts */
                {0, 1700000000, 0, (msec)1700000005999},
                {0, NOW / 1000, 0, NOW + 5000}, /* nor later than if counted from its arrival */
                {0, NOW / 1000 + 3600, 0, NOW + 5000}, /* a clock ahead of this one */
                {1600000000123, 1700000000, 0, (msec)1600000005123},
                {NOW + 60000, -1, 0, NOW + 5000},
                {0, -1, NOW + 86400000, NOW + 86400000},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct message m;
                struct err e = {0};
                struct job job;
                fill(&m, "jobs.acme", "high", NULL);
                m.timestamp = rows[i].timestamp;
                message_add_int(&m, "x-delay", 5000);
                if (rows[i].submitted_at != 0)
                        message_add_int(&m, "x-submitted-at", rows[i].submitted_at);
                if (rows[i].run_at != 0)
                        message_add_int(&m, "x-run-at", rows[i].run_at);
                assert_int_equal(job_decode(&m, &limits, NOW, &job, &e), 0);
                assert_int_equal(job.run_at, rows[i].want);
        }
}

static void spoil_id(struct message *m)
{
        m->message_id = bytes_of_text("no\x01uuid");
}

static void drop_id(struct message *m)
{
        m->message_id = (struct bytes){NULL, 0};
}

static void drop_type(struct message *m)
{
        m->type = (struct bytes){NULL, 0};
}

static void spoil_type(struct message *m)
{
        m->type = bytes_of_text("Send Email");
}

static void spoil_content_type(struct message *m)
{
        m->content_type = bytes_of_text("text/plain");
}

static void json_goes_by_many_names(void **state)
{
        static const struct {
                const char *type;
                bool want;
        } rows[] = {
                {"application/json", true},
                {"Application/JSON", true},
                {"application/json; charset=utf-8", true},
                {"application/json;charset=UTF-8", true},
                {"APPLICATION/JSON\t; a=b", true},
                {"application/json-seq", false},
                {"application/jso", false},
                {" application/json", false},
                {"text/json", false},
                {"", false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct message m;
                struct err e = {0};
                struct job job;
                fill(&m, "jobs.acme", "high", NULL);
                m.content_type = bytes_of_text(rows[i].type);
                assert_int_equal(job_decode(&m, &limits, NOW, &job, &e) == 0, rows[i].want);
        }
}

static void make_transient(struct message *m)
{
        m->delivery_mode = 1;
}

static void empty_body(struct message *m)
{
        m->body = bytes_of("", 0);
}

static void spoil_body(struct message *m)
{
        m->body = bytes_of_text("{\"a\":");
}

static void two_values(struct message *m)
{
        m->body = bytes_of_text("1 2");
}

static void body_not_utf8(struct message *m)
{
        m->body = bytes_of_text("\"\xff\"");
}

static void grow_body(struct message *m)
{
        static char large[1001];

        memset(large, ' ', sizeof(large));
        large[0] = '1';
        m->body = bytes_of(large, sizeof(large));
}

static void nest_body(struct message *m)
{
        static char deep[130];

        memset(deep, '[', 65);
        memset(deep + 65, ']', 65);
        m->body = bytes_of(deep, sizeof(deep));
}

static void spoil_key(struct message *m)
{
        m->routing_key = bytes_of_text("bogus");
}

static void spoil_exchange(struct message *m)
{
        m->exchange = bytes_of_text("jobs.NOPE");
}

static void what_breaks_the_contract_is_refused(void **state)
{
        static const struct {
                void (*spoil)(struct message *m);
                const char *want;       /* part of the error */
                const char *want_claim; /* claimed_id */
                const char *want_type;
        } rows[] = {
                {drop_id, "message_id is missing", "", "send_email"},
                {spoil_id, "message_id is not a UUID: \"no\\x01uuid\"", "no?uuid", "send_email"},
                {drop_type, "type is missing", ID, ""},
                {spoil_type, "{0,63}: \"Send Email\"", ID, ""},
                {spoil_content_type, "content_type", ID, "send_email"},
                {make_transient, "delivery_mode", ID, "send_email"},
                {empty_body, "body is empty", ID, "send_email"},
                {spoil_body, "not one JSON value", ID, "send_email"},
                {two_values, "not one JSON value", ID, "send_email"},
                {body_not_utf8, "not one JSON value", ID, "send_email"},
                {grow_body, "more than 1000", ID, "send_email"},
                {nest_body, "not one JSON value", ID, "send_email"},
                {spoil_key, "names no lane", ID, "send_email"},
                {spoil_exchange, "names a tenant", ID, "send_email"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct message m;
                struct err e = {0};
                struct job job;
                fill(&m, "jobs.acme", "high", NULL);
                rows[i].spoil(&m);
                assert_int_equal(job_decode(&m, &limits, NOW, &job, &e), -1);
                assert_int_equal(e.code, ERR_INVALID);
                assert_non_null(strstr(e.text, rows[i].want));
                assert_string_equal(job.claimed_id, rows[i].want_claim);
                assert_string_equal(job.type, rows[i].want_type);
                if (rows[i].spoil != spoil_exchange)
                        assert_string_equal(job.tenant, "acme");
        }
}

/* Programs may have different limits: a job that the gateway admitted must run. */
static void what_a_service_checked_is_no_more_judged_by_its_size(void **state)
{
        static const struct {
                const char *user;
                int want;
        } rows[] = {{NULL, -1}, {"tenant-acme", -1}, {"warren-gateway", 0}, {"warren-consumer", 0}};

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct message m;
                struct err e = {0};
                struct job job;
                fill(&m, "jobs.acme", "high", rows[i].user);
                grow_body(&m);
                assert_int_equal(job_decode(&m, &limits, NOW, &job, &e), rows[i].want);
        }
}

static void the_depth_of_a_body_has_its_edge(void **state)
{
        char deep[128];
        struct message m;
        struct err e = {0};
        struct job job;

        (void)state;
        memset(deep, '[', 64);
        memset(deep + 64, ']', 64);
        fill(&m, "jobs.acme", "high", NULL);
        m.body = bytes_of(deep, sizeof(deep));
        assert_int_equal(job_decode(&m, &limits, NOW, &job, &e), 0);
}

static void burials_are_judged_by_who_buried(void **state)
{
        static const struct {
                const char *user, *reason, *body;
                int want;
        } rows[] = {
                {"warren-consumer", "malformed", "{\"a\":", 0},
                {"warren-consumer", "malformed", "", 0},
                {"tenant-acme", NULL, "{}", 0},       /* buried by the broker, a whole message */
                {"tenant-acme", NULL, "{\"a\":", -1}, /* buried by the broker, a broken message */
                {"tenant-acme", "malformed", "{\"a\":", -1}, /* the same with a forged reason */
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct message m;
                struct err e = {0};
                struct job job;
                fill(&m, "dead", "acme.high", rows[i].user);
                if (rows[i].reason != NULL)
                        message_add_text(&m, "x-reason", bytes_of_text(rows[i].reason));
                m.body = bytes_of_text(rows[i].body);
                assert_int_equal(job_decode(&m, &limits, NOW, &job, &e), rows[i].want);
        }
}

static void upper_case_ids_are_the_same_job(void **state)
{
        struct message m;
        struct err e = {0};
        struct job job;

        (void)state;
        fill(&m, "jobs.acme", "high", NULL);
        m.message_id = bytes_of_text("01902F5E-7B1A-7000-8000-000000000001");
        assert_int_equal(job_decode(&m, &limits, NOW, &job, &e), 0);
        assert_string_equal(job.id, ID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(origins_are_told),
                cmocka_unit_test(from_outside_only_eight_headers_count),
                cmocka_unit_test(from_a_service_all_headers_count),
                cmocka_unit_test(numbers_are_clamped),
                cmocka_unit_test(a_job_is_due_no_later_than_it_expires),
                cmocka_unit_test(a_known_header_of_another_type_is_refused),
                cmocka_unit_test(a_delay_counts_from_the_submission),
                cmocka_unit_test(what_breaks_the_contract_is_refused),
                cmocka_unit_test(json_goes_by_many_names),
                cmocka_unit_test(what_a_service_checked_is_no_more_judged_by_its_size),
                cmocka_unit_test(the_depth_of_a_body_has_its_edge),
                cmocka_unit_test(burials_are_judged_by_who_buried),
                cmocka_unit_test(upper_case_ids_are_the_same_job),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
