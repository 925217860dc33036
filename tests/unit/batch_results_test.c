/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_results_test.c: the entries of a batch's answer and their order, also of each kind of
 * refusal; and what a dry run counts.
 */
#include "gateway/batch_results.h"

#include <string.h>

#include "common/base/json_write.h"
#include "gateway/batch_trial.h"
#include "tests/unit/unit.h"

static void each_refusal_is_an_entry(void **state)
{
        struct scan_fault fault = {
                .pointer = "/3/type", .line = 4, .column = 10, .detail = "must be \"a\""};
        struct refusal invalid = {0}, rate = {.retry = 7}, broker = {0}, unknown = {.id = "an-id"};
        struct refusal typed = {.type = "urn:x"};
        const struct {
                const struct refusal *why;
                const char *want;
        } cases[] = {
                {&invalid, "{\"problem\":{\"type\":\"about:blank\",\"title\":\"Unprocessable "
                           "Content\",\"status\":422,\"detail\":\"must be \\\"a\\\"\",\"errors\":[{"
                           "\"pointer\":\"/3/type\",\"line\":4,\"column\":10,\"detail\":\"must be "
                           "\\\"a\\\"\"}]}}"},
                {&rate, "{\"problem\":{\"type\":\"about:blank\",\"title\":\"Too Many Requests\","
                        "\"status\":429,\"detail\":\"slow\",\"retry_after\":7}}"},
                {&broker, "{\"problem\":{\"type\":\"about:blank\",\"title\":\"Service "
                          "Unavailable\",\"status\":503,\"detail\":\"full\",\"retry_after\":1}}"},
                {&unknown, "{\"problem\":{\"type\":\"about:blank\",\"title\":\"Service "
                           "Unavailable\",\"status\":503,\"detail\":\"lost\",\"id\":\"an-id\","
                           "\"accepted\":\"unknown\",\"retry_after\":1}}"},
                {&typed, "{\"problem\":{\"type\":\"urn:x\",\"title\":\"Conflict\",\"status\":409,"
                         "\"detail\":\"other\"}}"},
        };
        const struct err full = {.code = ERR_FULL, .text = "full"};

        (void)state;
        assert_false(refusal_set_fault(&invalid, 422, &fault));
        assert_false(refusal_set(&rate, REFUSED_RATE, 429, "slow"));
        assert_false(refusal_set_err(&broker, &full));
        assert_int_equal(broker.reason, REFUSED_WINDOW);
        assert_false(refusal_set(&unknown, REFUSED_UNKNOWN, 503, "%s", "lost"));
        assert_false(refusal_set(&typed, REFUSED_INVALID, 409, "other"));
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                AUTO_BUFFER out = {0};
                refusal_write(cases[i].why, &out);
                buffer_add_char(&out, '\0');
                assert_string_equal(out.data, cases[i].want);
        }
}

static void accept(struct batch_results *r, size_t index, int64_t value)
{
        struct buffer *out = batch_results_accept(r, index);

        json_begin(out);
        json_put_int(out, "n", value);
        json_end(out);
}

static void check_answer(const struct batch_results *r, const char *want)
{
        AUTO_BUFFER out = {0};

        batch_results_write(r, &out);
        json_end(&out);
        buffer_add_char(&out, '\0');
        assert_string_equal(out.data, want);
}

static void entries_are_in_the_order_of_the_jobs(void **state)
{
        struct batch_results *r = batch_results_create();
        struct refusal refused = {0}, unknown = {.id = "i"}, cut = {0};

        (void)state;
        check_answer(r, "{\"accepted\":0,\"refused\":0,\"unknown\":0,\"complete\":true,"
                        "\"jobs\":[]}");
        (void)refusal_set(&refused, REFUSED_INVALID, 409, "r");
        (void)refusal_set(&unknown, REFUSED_UNKNOWN, 409, "u");
        (void)refusal_set(&cut, REFUSED_INVALID, 413, "c");
        accept(r, 3, 30);
        batch_results_refuse(r, 1, &refused);
        accept(r, 0, 0);
        batch_results_refuse(r, 2, &unknown);
        batch_results_cut(r, &cut);
        check_answer(
                r,
                "{\"accepted\":2,\"refused\":1,\"unknown\":1,\"complete\":false,\"jobs\":[{\"n\":0}"
                ",{\"problem\":{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,"
                "\"detail\":\"r\"}},{\"problem\":{\"type\":\"about:blank\",\"title\":\"Conflict\","
                "\"status\":409,\"detail\":\"u\",\"id\":\"i\",\"accepted\":\"unknown\"}},"
                "{\"n\":30},{\"problem\":{\"type\":\"about:blank\",\"title\":\"Content Too "
                "Large\",\"status\":413,\"detail\":\"c\"}}]}");
        batch_results_destroy(&r);
        assert_null(r);
}

static void dry_runs_count_by_tenant_and_know_keys(void **state)
{
        struct batch_trial *t = batch_trial_create();
        struct job job = {.tenant = "a", .key = "k", .key_hash = "1"};

        (void)state;
        batch_trial_count(t, "a")->admitted = 3;
        batch_trial_count(t, "b")->pending = 1;
        assert_int_equal(batch_trial_count(t, "a")->admitted, 3);
        assert_int_equal(batch_trial_count(t, "b")->admitted, 0);
        assert_null(batch_trial_key(t, &job));
        memcpy(job.key_hash, "2", 2);
        assert_string_equal(batch_trial_key(t, &job), "1");
        memcpy(job.tenant, "b", 2);
        assert_null(batch_trial_key(t, &job));
        memcpy(job.key, "k2", 3);
        assert_null(batch_trial_key(t, &job));
        assert_string_equal(batch_trial_key(t, &job), "2");
        batch_trial_destroy(&t);
        assert_null(t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_refusal_is_an_entry),
                cmocka_unit_test(entries_are_in_the_order_of_the_jobs),
                cmocka_unit_test(dry_runs_count_by_tenant_and_know_keys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
