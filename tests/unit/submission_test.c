/* SPDX-License-Identifier: Apache-2.0
 *
 * submission_test.c: valid and invalid bodies of POST /jobs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "gateway/submission.h"
#include "tests/unit/unit.h"

#define NOW ((msec)1767225600000) /* 2026-01-01T00:00:00Z */

static const struct submission_rules acme = {.tenant = "acme", .now = NOW, .payload_max = 64};
static const struct submission_rules admin = {.tenant = "", .now = NOW, .payload_max = 64};

static void test_defaults(void **state)
{
        (void)state;
        struct job job;
        struct submission_refusal why = {0};

        assert_int_equal(submission_parse(bytes_of_text("{\"type\":\"noop\"}"), &acme, &job, &why),
                         0);
        assert_string_equal(job.type, "noop");
        assert_string_equal(job.tenant, "acme");
        assert_int_equal(job.priority, PRIORITY_MEDIUM);
        assert_int_equal(job.lane, LANE_MEDIUM);
        assert_int_equal(job.max_retries, 3);
        assert_int_equal(job.timeout, 0);
        assert_int_equal(job.run_at, 0);
        assert_int_equal(job.run, 1);
        assert_int_equal(job.submitted_at, NOW);
        assert_true(bytes_equal_text(job.payload, "null"));
}

static void test_accepted(void **state)
{
        (void)state;
        static const struct {
                const char *members;
                msec want_run_at, want_timeout;
                enum priority want_priority;
                enum lane want_lane;
                int64_t want_retries;
        } cases[] = {
                {"\"priority\":\"critical\"", 0, 0, PRIORITY_CRITICAL, LANE_CRITICAL, 3},
                {"\"priority\":0", 0, 0, PRIORITY_LOW, LANE_LOW, 3},
                {"\"priority\":3,\"max_retries\":0", 0, 0, PRIORITY_CRITICAL, LANE_CRITICAL, 0},
                {"\"max_retries\":100", 0, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 100},
                {"\"delay\":30", NOW + 30000, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"delay\":0.25", NOW + 250, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"delay\":0.2501", NOW + 251, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"delay\":\"1500.0001ms\"", NOW + 1501, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"delay\":1e1", NOW + 10000, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"delay\":\"1.5s\"", NOW + 1500, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"delay\":\"2d\"", NOW + 2 * MSEC_DAY, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"delay\":0", 0, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"delay\":\"365d\"", NOW + (msec)365 * MSEC_DAY, 0, PRIORITY_MEDIUM, LANE_MEDIUM,
                 3},
                {"\"run_at\":\"2026-01-01T00:00:30.000Z\"", NOW + 30000, 0, PRIORITY_MEDIUM,
                 LANE_MEDIUM, 3},
                {"\"run_at\":\"2026-01-01T01:00:30+01:00\"", NOW + 30000, 0, PRIORITY_MEDIUM,
                 LANE_MEDIUM, 3},
                {"\"run_at\":\"2020-01-01T00:00:00Z\"", 0, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"timeout\":\"20s\"", 0, 20000, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"timeout\":0.1", 0, 100, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"timeout\":\"24h\",\"priority\":\"high\"", 0, MSEC_DAY, PRIORITY_HIGH, LANE_LONG,
                 3},
                {"\"timeout\":\"1h30m\"", 0, 5400000, PRIORITY_MEDIUM, LANE_LONG, 3},
                {"\"priority\":null,\"payload\":null,\"max_retries\":null,\"timeout\":null,"
                 "\"tenant_id\":null,\"idempotency_key\":null,\"delay\":null,\"run_at\":null",
                 0, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"delay\":30,\"run_at\":null", NOW + 30000, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"tenant_id\":\"acme\"", 0, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
                {"\"prior\\u0069ty\":1", 0, 0, PRIORITY_MEDIUM, LANE_MEDIUM, 3},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                AUTO_FREE char *body = xasprintf("{\"type\":\"a.b-c_d\",%s}", cases[i].members);
                struct job job;
                struct submission_refusal why = {0};
                if (submission_parse(bytes_of_text(body), &acme, &job, &why) != 0)
                        fail_msg("%s: %s", body, why.fault.detail);
                assert_int_equal(job.run_at, cases[i].want_run_at);
                assert_int_equal(job.timeout, cases[i].want_timeout);
                assert_int_equal(job.priority, cases[i].want_priority);
                assert_int_equal(job.lane, cases[i].want_lane);
                assert_int_equal(job.max_retries, cases[i].want_retries);
        }
}

static void test_expires(void **state)
{
        (void)state;
        static const struct {
                const char *members;
                msec want;
        } cases[] = {
                {"\"expires\":30", NOW + 30000},
                {"\"expires\":0.0001", NOW + 1},
                {"\"expires\":\"1h30m\"", NOW + 5400000},
                {"\"expires\":\"365d\"", NOW + JOB_DELAY_MAX},
                {"\"expires\":\"2026-01-01T01:00:30+01:00\"", NOW + 30000},
                {"\"expires\":\"2027-01-01T00:00:00Z\"", NOW + JOB_DELAY_MAX},
                {"\"expires\":null", 0},
                {"\"expires\":\"1.5s\",\"delay\":1.499", NOW + 1500},
                {"\"run_at\":\"2020-01-01T00:00:00Z\",\"expires\":1", NOW + 1000},
        };

        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO_FREE char *body = xasprintf("{\"type\":\"t\",%s}", cases[i].members);
                struct job job;
                struct submission_refusal why = {0};
                if (submission_parse(bytes_of_text(body), &acme, &job, &why) != 0)
                        fail_msg("%s: %s", body, why.fault.detail);
                assert_int_equal(job.expires_at, cases[i].want);
        }
}

/* Each says what is wrong with this value. */
static void test_wrong_expires(void **state)
{
        (void)state;
        static const struct {
                const char *value, *want;
        } cases[] = {
                {"-5", "must be later than now"},
                {"0", "must be later than now"},
                {"31536001", "must be at most 365 days ahead"},
                {"\"400d\"", "must be at most 365 days ahead"},
                {"\"2027-01-01T00:00:00.001Z\"", "must be at most 365 days ahead"},
                {"\"2026-01-01T00:00:30\"", "needs a time zone, as in \"2026-01-01T00:00:30Z\""},
                {"\"2026-01-01 00:00:30Z\"", "must be a time as RFC 3339 writes it, like "
                                             "\"2026-01-01T00:00:30Z\""},
                {"\"yesterday\"", "must be " DURATION_FORM ", or a time like "
                                  "\"2026-01-01T00:00:30Z\"; at most 365 days ahead"},
        };

        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO_FREE char *body = xasprintf("{\"type\":\"t\",\"expires\":%s}", cases[i].value);
                struct submission_refusal why = {0};
                struct job job;
                assert_int_equal(submission_parse(bytes_of_text(body), &acme, &job, &why), -1);
                assert_int_equal(why.status, 422);
                assert_string_equal(why.fault.pointer, "/expires");
                assert_string_equal(why.fault.detail, cases[i].want);
        }
}

static void test_payload_is_a_slice(void **state)
{
        (void)state;
        static const char *const payloads[] = {
                "0.1",
                "12345678901234567890123",
                "1E400",
                "[ 1 , 2 ]",
                "\"\\u0000\\/\"",
                "{\"b\":1,\n\"a\":-0.0}",
                "null",
                "\"\"",
        };

        for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
                AUTO_FREE char *body =
                        xasprintf("{\"payload\" :  %s , \"type\":\"t\"}", payloads[i]);
                struct job job;
                struct submission_refusal why = {0};
                assert_int_equal(submission_parse(bytes_of_text(body), &acme, &job, &why), 0);
                assert_true(bytes_equal_text(job.payload, payloads[i]));
                assert_ptr_equal(job.payload.data, strstr(body, payloads[i]));
        }
}

struct refusal {
        const char *body;
        int want;
        const char *want_pointer;
        unsigned want_line, want_column; /* 0: not checked */
};

static void check_refusal(const struct refusal *r, const struct submission_rules *rules)
{
        struct job job;
        struct submission_refusal why = {0};

        if (submission_parse(bytes_of_text(r->body), rules, &job, &why) == 0)
                fail_msg("accepted: %s", r->body);
        if (why.too_late)
                fail_msg("too late: %s", r->body);
        if (why.status != r->want || strcmp(why.fault.pointer, r->want_pointer) != 0)
                fail_msg("%s: %d %s %s", r->body, why.status, why.fault.pointer, why.fault.detail);
        assert_true(why.fault.detail[0] != '\0');
        if (why.fault.line < 1 || why.fault.column < 1)
                fail_msg("%s: %u:%u", r->body, why.fault.line, why.fault.column);
        if (r->want_line != 0) {
                assert_int_equal(why.fault.line, r->want_line);
                assert_int_equal(why.fault.column, r->want_column);
        }
}

static const struct refusal refusals[] = {
        {"", 400, "", 0, 0},
        {"nonsense", 400, "", 1, 1},
        {"\xef\xbb\xbf{\"type\":\"t\"}", 400, "", 1, 1},
        {"{\"type\":\"t\"", 400, "/type", 0, 0},
        {"{\"type\":\"t\"} x", 400, "", 0, 0},
        {"{\"type\":\"t\",\"type\":\"t\"}", 400, "/type", 0, 0},
        {"{\"type\":\"t\",\"payload\":{\"a\":1,\"\\u0061\":2}}", 400, "/payload/a", 0, 0},
        {"{\"type\":\"\xff\"}", 400, "/type", 0, 0},
        {"[]", 422, "", 1, 1},
        {"null", 422, "", 1, 1},
        {"{}", 422, "/type", 1, 1},
        {"{\"type\":7}", 422, "/type", 1, 9},
        {"{\"type\":\"\"}", 422, "/type", 1, 9},
        {"{\"type\":\"Send\"}", 422, "/type", 1, 9},
        {"{\"type\":\".a\"}", 422, "/type", 1, 9},
        {"{\"type\":\"a\\u0000\"}", 422, "/type", 1, 9},
        {"{\"type\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", 422,
         "/type", 1, 9},
        {"{\"type\":\"t\",\n  \"priority\":4}", 422, "/priority", 2, 14},
        {"{\"type\":\"t\",\"priority\":1.0}", 422, "/priority", 0, 0},
        {"{\"type\":\"t\",\"priority\":-1}", 422, "/priority", 0, 0},
        {"{\"type\":\"t\",\"priority\":\"urgent\"}", 422, "/priority", 0, 0},
        {"{\"type\":null}", 422, "/type", 0, 0},
        {"{\"type\":\"t\",\"prio\":null}", 422, "/prio", 0, 0},
        {"{\"type\":\"t\",\"max_retries\":101}", 422, "/max_retries", 0, 0},
        {"{\"type\":\"t\",\"max_retries\":-1}", 422, "/max_retries", 0, 0},
        {"{\"type\":\"t\",\"max_retries\":\"3\"}", 422, "/max_retries", 0, 0},
        {"{\"type\":\"t\",\"max_retries\":99999999999999999999}", 422, "/max_retries", 0, 0},
        {"{\"type\":\"t\",\"timeout\":0}", 422, "/timeout", 0, 0},
        {"{\"type\":\"t\",\"timeout\":\"99ms\"}", 422, "/timeout", 0, 0},
        {"{\"type\":\"t\",\"timeout\":\"25h\"}", 422, "/timeout", 0, 0},
        {"{\"type\":\"t\",\"timeout\":true}", 422, "/timeout", 0, 0},
        {"{\"type\":\"t\",\"delay\":-1}", 422, "/delay", 0, 0},
        {"{\"type\":\"t\",\"delay\":1e400}", 422, "/delay", 0, 0},
        {"{\"type\":\"t\",\"delay\":\"366d\"}", 422, "/delay", 0, 0},
        {"{\"type\":\"t\",\"delay\":\"soon\"}", 422, "/delay", 0, 0},
        {"{\"type\":\"t\",\"run_at\":\"tomorrow\"}", 422, "/run_at", 0, 0},
        {"{\"type\":\"t\",\"run_at\":1767225630}", 422, "/run_at", 0, 0},
        {"{\"type\":\"t\",\"run_at\":\"2027-02-01T00:00:00Z\"}", 422, "/run_at", 0, 0},
        {"{\"type\":\"t\",\"delay\":1,\"run_at\":\"2026-01-01T00:00:30Z\"}", 422, "/run_at", 0, 0},
        {"{\"type\":\"t\",\"expires\":-1}", 422, "/expires", 0, 0},
        {"{\"type\":\"t\",\"expires\":\"366d\"}", 422, "/expires", 0, 0},
        {"{\"type\":\"t\",\"expires\":31536001}", 422, "/expires", 0, 0},
        {"{\"type\":\"t\",\"expires\":\"soon\"}", 422, "/expires", 0, 0},
        {"{\"type\":\"t\",\"expires\":[1]}", 422, "/expires", 0, 0},
        {"{\"type\":\"t\",\"expires\":\"2027-01-01T00:00:00.001Z\"}", 422, "/expires", 0, 0},
        {"{\"type\":\"t\",\"tenant_id\":\"other\"}", 403, "/tenant_id", 0, 0},
        {"{\"type\":\"t\",\"tenant_id\":\"No!\"}", 422, "/tenant_id", 0, 0},
        {"{\"type\":\"t\",\"idempotency_key\":\"\"}", 422, "/idempotency_key", 1, 31},
        {"{\"type\":\"t\",\"idempotency_key\":7}", 422, "/idempotency_key", 0, 0},
        {"{\"type\":\"t\",\"idempotency_key\":\"a\\n\"}", 422, "/idempotency_key", 0, 0},
        {"{\"type\":\"t\",\"idempotency_key\":\"a\\u0000\"}", 422, "/idempotency_key", 0, 0},
        {"{\"type\":\"t\",\"idempotency_key\":\"\\u00e4\"}", 422, "/idempotency_key", 0, 0},
        {"{\"type\":\"t\",\"colour\":\"red\"}", 422, "/colour", 1, 13},
        {"{\"type\":\"t\",\"a/b~c\":1}", 422, "/a~1b~0c", 0, 0},
        {"{\"type\":\"t\",\"payload\":\"0123456789012345678901234567890123456789012345678"
         "9012345678901234\"}",
         413, "/payload", 0, 0},
};

static void test_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(refusals); i++)
                check_refusal(&refusals[i], &acme);
        check_refusal(&(struct refusal){"{\"type\":\"t\"}", 422, "/tenant_id", 0, 0}, &admin);
}

/* What time alone can make of a submission that was accepted: the job is filled, so that its key
 * can be looked up, with the hash that it had. */
static void test_too_late(void **state)
{
        (void)state;
        static const char *const expires[] = {
                "0",
                "\"2026-01-01T00:00:00Z\"",
                "\"2025-12-31T00:00:00Z\"",
                "1,\"delay\":1",
                "\"2026-01-01T00:00:30Z\",\"delay\":\"30s\"",
                "30,\"run_at\":\"2026-01-01T00:00:30Z\"",
                "\"1970-01-01T00:00:00Z\"",
                "\"1969-12-31T23:59:59Z\"",
                "\"0000-01-01T00:00:00Z\"",
        };
        const struct submission_rules now = {
                .tenant = "acme", .now = NOW, .payload_max = 64, .key = "k"};
        struct submission_rules earlier = now;

        earlier.now = NOW - 2 * MSEC_DAY;
        for (size_t i = 0; i < COUNT(expires); i++) {
                AUTO_FREE char *body = xasprintf(
                        "{\"type\":\"t\",\"expires\":%s,\"tenant_id\":\"acme\"}", expires[i]);
                struct submission_refusal why = {0};
                struct job job, first;
                if (submission_parse(bytes_of_text(body), &now, &job, &why) == 0)
                        fail_msg("accepted: %s", body);
                assert_true(why.too_late);
                assert_int_equal(why.status, 422);
                assert_string_equal(why.fault.pointer, "/expires");
                assert_int_equal(why.fault.line, 1);
                assert_int_equal(why.fault.column, 23);
                assert_string_equal(job.key, "k");
                assert_true(job.expires_at > 0);
                why = (struct submission_refusal){0};
                if (submission_parse(bytes_of_text(body), &earlier, &first, &why) == 0)
                        assert_string_equal(first.key_hash, job.key_hash);
                assert_int_equal(strlen(job.key_hash), 32);
        }
}

static void test_admin_names_a_tenant(void **state)
{
        (void)state;
        struct job job;
        struct submission_refusal why = {0};

        assert_int_equal(submission_parse(bytes_of_text("{\"type\":\"t\",\"tenant_id\":\"other\"}"),
                                          &admin, &job, &why),
                         0);
        assert_string_equal(job.tenant, "other");
}

static void parse_keyed(const char *body, const char *header, struct job *job)
{
        const struct submission_rules rules = {
                .tenant = "acme", .now = NOW, .payload_max = 64, .key = header};
        struct submission_refusal why = {0};

        if (submission_parse(bytes_of_text(body), &rules, job, &why) != 0)
                fail_msg("%s: %s %s", body, why.fault.pointer, why.fault.detail);
}

static void test_key(void **state)
{
        (void)state;
        struct job job;
        static const struct submission_rules rules = {
                .tenant = "acme", .now = NOW, .payload_max = 64, .key = "k 1"};

        parse_keyed("{\"type\":\"t\"}", NULL, &job);
        assert_string_equal(job.key, "");
        assert_string_equal(job.key_hash, "");
        parse_keyed("{\"type\":\"t\"}", "k 1", &job);
        assert_string_equal(job.key, "k 1");
        assert_int_equal(strlen(job.key_hash), 32);
        parse_keyed("{\"type\":\"t\",\"idempotency_key\":\" \\u0041\\\"\"}", NULL, &job);
        assert_string_equal(job.key, " A\"");
        assert_int_equal(strlen(job.key_hash), 32);
        parse_keyed("{\"type\":\"t\",\"idempotency_key\":\"k 1\"}", "k 1", &job);
        assert_string_equal(job.key, "k 1");
        parse_keyed("{\"type\":\"t\",\"idempotency_key\":null}", "k 1", &job);
        assert_string_equal(job.key, "k 1");
        check_refusal(&(struct refusal){"{\"type\":\"t\",\"idempotency_key\":\"k 2\"}", 422,
                                        "/idempotency_key", 1, 31},
                      &rules);
}

/* Which bodies are one request; a row is compared with the first. */
static void test_hash(void **state)
{
        (void)state;
        static const char first[] = "{\"type\":\"t\",\"payload\":[1, 2],\"delay\":\"30s\"}";
        static const struct {
                const char *body;
                bool want_equal;
        } cases[] = {
                {first, true},
                {"{\"delay\":\"30s\",\"payload\":[1, 2],\"type\":\"t\"}", true},
                {" {\n\"type\" : \"t\" , \"payload\" : [1, 2] , \"delay\" : \"30s\" } ", true},
                {"{\"t\\u0079pe\":\"t\",\"payload\":[1, 2],\"delay\":\"30s\"}", true},
                {"{\"type\":\"t\",\"payload\":[1, 2],\"delay\":\"30s\",\"run_at\":null,"
                 "\"priority\":null}",
                 true},
                {"{\"type\":\"t\",\"payload\":[1, 2],\"delay\":\"30s\",\"idempotency_key\":\"k\"}",
                 true},
                {"{\"type\":\"t\",\"payload\":[1,2],\"delay\":\"30s\"}", false},
                {"{\"type\":\"t\",\"payload\":[1, 2],\"delay\":30}", false},
                {"{\"type\":\"\\u0074\",\"payload\":[1, 2],\"delay\":\"30s\"}", false},
                {"{\"type\":\"u\",\"payload\":[1, 2],\"delay\":\"30s\"}", false},
                {"{\"type\":\"t\",\"payload\":[1, 2]}", false},
                {"{\"type\":\"t\",\"payload\":null,\"delay\":\"30s\"}", false},
                {"{\"type\":\"t\",\"payload\":[1, 2],\"delay\":\"30s\",\"priority\":\"medium\"}",
                 false},
        };
        struct job want, job;

        parse_keyed(first, "k", &want);
        /* Keys of older versions are compared with it: it never changes. */
        assert_string_equal(want.key_hash, "9ad097c4b5f88f7b93c0cbf88abf5d5f");
        for (size_t i = 0; i < COUNT(cases); i++) {
                parse_keyed(cases[i].body, "k", &job);
                if ((strcmp(job.key_hash, want.key_hash) == 0) != cases[i].want_equal)
                        fail_msg("%s: %s", cases[i].body, job.key_hash);
        }
}

static void test_hash_is_the_tenants(void **state)
{
        (void)state;
        static const struct submission_rules of_acme = {
                .tenant = "acme", .now = NOW, .payload_max = 64, .key = "k"};
        static const struct submission_rules of_other = {
                .tenant = "other", .now = NOW, .payload_max = 64, .key = "k"};
        const struct bytes body = bytes_of_text("{\"type\":\"t\"}");
        struct submission_refusal why = {0};
        struct job a, b;

        assert_int_equal(submission_parse(body, &of_acme, &a, &why), 0);
        assert_int_equal(submission_parse(body, &of_other, &b, &why), 0);
        assert_string_not_equal(a.key_hash, b.key_hash);
}

static void test_depth(void **state)
{
        (void)state;
        static const struct {
                int depth, want;
        } cases[] = {{64, 0}, {65, 400}, {10000, 400}};

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                AUTO_BUFFER body = {0};
                struct job job;
                struct submission_refusal why = {0};
                const struct submission_rules rules = {
                        .tenant = "acme", .now = NOW, .payload_max = 1 << 20};
                buffer_add_text(&body, "{\"type\":\"t\",\"payload\":");
                for (int d = 0; d < cases[i].depth; d++)
                        buffer_add_char(&body, '[');
                for (int d = 0; d < cases[i].depth; d++)
                        buffer_add_char(&body, ']');
                buffer_add_char(&body, '}');
                int got = submission_parse(buffer_bytes(&body), &rules, &job, &why);
                assert_int_equal(got < 0 ? why.status : 0, cases[i].want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_accepted),
                cmocka_unit_test(test_expires),
                cmocka_unit_test(test_wrong_expires),
                cmocka_unit_test(test_payload_is_a_slice),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_too_late),
                cmocka_unit_test(test_admin_names_a_tenant),
                cmocka_unit_test(test_key),
                cmocka_unit_test(test_hash),
                cmocka_unit_test(test_hash_is_the_tenants),
                cmocka_unit_test(test_depth),
        };
        return cmocka_run_group_tests_name("submission", tests, NULL, NULL);
}
