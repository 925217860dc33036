/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_key_test.c: what each state of a claim makes of a submission.
 */
#include "gateway/judge_key.h"

#include <string.h>

#include "tests/unit/unit.h"

#define ID "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"

static const char with_key[] =
        "{\"type\":\"t\",\n \"tenant_id\":\"acme\", \"idempotency_key\":\"k\"}";
static const char without_key[] = "{\"type\":\"t\",\"idempotency_key\":null}";

static void test_granted(void **state)
{
        (void)state;
        const struct claim_answer first = {.state = CLAIM_GRANTED,
                                           .id = ID,
                                           .submitted_at = 1,
                                           .run_at = 2,
                                           .expires_at = 3,
                                           .taken = 1};
        const struct claim_answer none = {.state = CLAIM_NONE};
        struct job job = {.submitted_at = 11, .run_at = 12, .expires_at = 13};
        struct refusal why = {0};

        assert_int_equal(judge_key(&none, bytes_of_text(with_key), &job, &why), KEY_GRANTED);
        assert_string_equal(job.id, "");
        assert_int_equal(job.run_at, 12);
        assert_int_equal(judge_key(&first, bytes_of_text(with_key), &job, &why), KEY_GRANTED);
        assert_string_equal(job.id, ID);
        assert_int_equal(job.submitted_at, 1);
        assert_int_equal(job.run_at, 2);
        assert_int_equal(job.expires_at, 3);
        assert_true(job.again);
}

static void test_settled(void **state)
{
        (void)state;
        const struct claim_answer settled = {
                .state = CLAIM_SETTLED, .id = ID, .submitted_at = 1, .run_at = 2};
        struct job job = {.submitted_at = 11, .run_at = 12};
        struct refusal why = {0};

        assert_int_equal(judge_key(&settled, bytes_of_text(with_key), &job, &why), KEY_REPLAYS);
        assert_string_equal(job.id, ID);
        assert_int_equal(job.submitted_at, 1);
        assert_int_equal(job.run_at, 2);
        assert_false(job.again);
}

/* Each later copy has its own time, and one that is not the expiry. */
static void test_due(void **state)
{
        (void)state;
        static const struct {
                msec now, run_at, expires_at;
                int64_t taken;
                msec want;
        } cases[] = {
                {1000, 0, 0, 0, 0},
                {1000, 90000, 0, 0, 90000},
                {1000, 90000, 90001, 0, 90000},
                {1000, 0, 0, 1, 0},
                {31000, 31000, 0, 1, 31000}, /* due by now */
                {1000, 90000, 0, 1, 92000},
                {61000, 90000, 0, 1, 92000},
                {1000, 90000, 0, 2, 94000},
                {1000, MSEC_DAY, 0, 30, MSEC_DAY + MSEC_MINUTE},
                {1000, MSEC_DAY, 0, INT32_MAX, MSEC_DAY + MSEC_MINUTE},
                {1000, 90000, 92001, 1, 92000},
                {1000, 90000, 92000, 1, 91000},
                {31000, 90000, 91000, 1, 90500},
                {31000, 90000, 91000, 3, 90750},
                {1000, 90000, 90001, 1, 90000},
                {1000, 90000, 150000, INT32_MAX, 149999},
        };

        for (size_t i = 0; i < COUNT(cases); i++) {
                const struct job job = {.submitted_at = 1000,
                                        .run_at = cases[i].run_at,
                                        .expires_at = cases[i].expires_at};
                assert_int_equal(judge_key_due(&job, cases[i].taken, cases[i].now), cases[i].want);
        }
}

static const struct {
        struct claim_answer answer;
        const char *body;
        int want_status;
        enum refusal_reason want_reason;
        const char *want_type; /* NULL: none */
        int64_t want_retry;
        const char *want_pointer; /* NULL: no fault */
} refusals[] = {
        {{.state = CLAIM_IN_FLIGHT, .retry = 1001},
         with_key,
         409,
         REFUSED_KEY_IN_FLIGHT,
         "urn:warren:problem:key-in-flight",
         2,
         NULL},
        {{.state = CLAIM_IN_FLIGHT, .retry = 0},
         with_key,
         409,
         REFUSED_KEY_IN_FLIGHT,
         "urn:warren:problem:key-in-flight",
         1,
         NULL},
        {{.state = CLAIM_REUSED},
         with_key,
         422,
         REFUSED_KEY_REUSED,
         "urn:warren:problem:key-reused",
         0,
         "/idempotency_key"},
        {{.state = CLAIM_REUSED},
         without_key,
         422,
         REFUSED_KEY_REUSED,
         "urn:warren:problem:key-reused",
         0,
         NULL},
        {{.state = CLAIM_FULL, .retry = 60000},
         with_key,
         429,
         REFUSED_KEYS,
         "urn:warren:problem:keys-full",
         60,
         NULL},
        {{.state = CLAIM_INVALID}, with_key, 503, REFUSED_KEYS, NULL, 0, NULL},
        {{.state = CLAIM_NO_TENANT}, with_key, 422, REFUSED_INVALID, NULL, 0, "/tenant_id"},
};

static void test_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(refusals); i++) {
                struct job job = {.submitted_at = 11};
                struct refusal why = {0};
                assert_int_equal(
                        judge_key(&refusals[i].answer, bytes_of_text(refusals[i].body), &job, &why),
                        KEY_REFUSED);
                assert_int_equal(why.status, refusals[i].want_status);
                assert_int_equal(why.reason, refusals[i].want_reason);
                assert_int_equal(why.retry, refusals[i].want_retry);
                if (refusals[i].want_type == NULL)
                        assert_null(why.type);
                else
                        assert_string_equal(why.type, refusals[i].want_type);
                assert_int_equal(why.has_fault, refusals[i].want_pointer != NULL);
                if (refusals[i].want_pointer != NULL) {
                        assert_string_equal(why.fault.pointer, refusals[i].want_pointer);
                        assert_int_equal(why.fault.line, 2);
                }
                assert_true(why.detail[0] != '\0');
                assert_int_equal(job.submitted_at, 11);
        }
}

/* It says which job the key made, and which key. */
static void test_reused(void **state)
{
        (void)state;
        static const struct {
                struct claim_answer answer;
                const char *body, *want;
        } cases[] = {
                {{.state = CLAIM_REUSED, .id = ID},
                 with_key,
                 "the key \"k\" was used with another request (job " ID "): repeat that request "
                 "unchanged, or use another key"},
                {{.state = CLAIM_REUSED, .id = ID},
                 without_key,
                 "the header Idempotency-Key: the key \"k\" was used with another request (job " ID
                 "): repeat that request unchanged, or use another key"},
        };

        for (size_t i = 0; i < COUNT(cases); i++) {
                struct job job = {.key = "k"};
                struct refusal why = {0};
                assert_int_equal(
                        judge_key(&cases[i].answer, bytes_of_text(cases[i].body), &job, &why),
                        KEY_REFUSED);
                assert_string_equal(why.detail, cases[i].want);
        }
}

static void test_reused_long_key(void **state)
{
        (void)state;
        const struct claim_answer answer = {.state = CLAIM_REUSED, .id = ID};
        struct job job = {0};
        struct refusal why = {0};

        memset(job.key, 'k', sizeof(job.key) - 1);
        assert_int_equal(judge_key(&answer, bytes_of_text(with_key), &job, &why), KEY_REFUSED);
        assert_non_null(strstr(why.detail, "kkk…\" was used"));
        assert_non_null(strstr(why.detail, "or use another key"));
}

static void test_ask(void **state)
{
        (void)state;
        const struct job job = {.tenant = "acme",
                                .key = "k",
                                .key_hash = "h",
                                .submitted_at = 1000,
                                .run_at = 31000,
                                .expires_at = 90000};
        struct claim_ask ask = judge_key_ask(&job, ID, 1000);

        assert_string_equal(ask.tenant, "acme");
        assert_string_equal(ask.key, "k");
        assert_string_equal(ask.hash, "h");
        assert_string_equal(ask.holder, ID);
        assert_int_equal(ask.submitted_at, 1000);
        assert_int_equal(ask.run_at, 31000);
        assert_int_equal(ask.expires_at, 90000);
        assert_true(ask.scheduled);
        assert_false(ask.look);
        assert_false(judge_key_ask(&job, ID, 31000).scheduled);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_granted),
                cmocka_unit_test(test_settled),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_ask),
                cmocka_unit_test(test_due),
                cmocka_unit_test(test_reused),
                cmocka_unit_test(test_reused_long_key),
        };
        return cmocka_run_group_tests_name("judge_key", tests, NULL, NULL);
}
