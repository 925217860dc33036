/* SPDX-License-Identifier: Apache-2.0
 *
 * cli_batch_test.c: the parts of `warren submit --batch`: keys, problems and answers. Its files:
 * cli_batch_file_test.c.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "common/base/own.h"
#include "ui/cli/batch_answer.h"
#include "ui/cli/batch_chunk.h"

static void test_keys(void **state)
{
        static const struct {
                const char *job, *want;
        } table[] = {
                {"{}", "{\"idempotency_key\":\"k/7\"}"},
                {"{ }", "{\"idempotency_key\":\"k/7\" }"},
                {"{ \"type\" : \"a\",\t\"payload\":1.0}",
                 "{\"idempotency_key\":\"k/7\", \"type\" : \"a\",\t\"payload\":1.0}"},
                {"{\"idempotency_key\":\"mine\"}", "{\"idempotency_key\":\"mine\"}"},
                {"{\"a\":1,\"idempotency_key\": null}", "{\"a\":1,\"idempotency_key\": \"k/7\"}"},
                {"{\"payload\":{\"idempotency_key\":1}}",
                 "{\"idempotency_key\":\"k/7\",\"payload\":{\"idempotency_key\":1}}"},
                {"[]", "[]"},
                {"\"{\"", "\"{\""},
                {"{\"a\":1", "{\"a\":1"},
                {"{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"},
                {"nonsense", "nonsense"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct batch_key key;
                AUTO_BUFFER out = {0};
                batch_job_add(bytes_of_text(table[i].job), "k", 7, &out, &key);
                assert_string_equal(out.data, table[i].want);
                assert_int_equal(out.length, strlen(table[i].job) + key.length - key.replaced);
        }
        struct batch_key key;
        AUTO_BUFFER out = {0};
        batch_job_add(bytes_of_text("{}"), "a\"b\\", 1, &out, &key);
        assert_string_equal(out.data, "{\"idempotency_key\":\"a\\\"b\\\\/1\"}");
}

static void test_key_forms(void **state)
{
        char longest[BATCH_KEY_SIZE + 1];

        (void)state;
        memset(longest, 'k', sizeof(longest));
        longest[BATCH_KEY_SIZE] = '\0';
        assert_string_equal(batch_key_fault("a b~"), "");
        assert_string_not_equal(batch_key_fault(""), "");
        assert_string_not_equal(batch_key_fault("a\n"), "");
        assert_string_not_equal(batch_key_fault("ä"), "");
        assert_string_not_equal(batch_key_fault(longest), "");
        longest[BATCH_KEY_SIZE - 1] = '\0';
        assert_string_equal(batch_key_fault(longest), "");
}

static struct scan_value checked(const char *json)
{
        struct scan_fault fault;

        assert_int_equal(scan_check(bytes_of_text(json), SCAN_DEPTH_WRAPPED, &fault), 0);
        return scan_root(bytes_of_text(json));
}

static void add_job(struct batch_chunk *c, const char *text, unsigned line, unsigned column)
{
        batch_chunk_add(c,
                        &(struct batch_place){.text = bytes_of_text(text),
                                              .number = line,
                                              .line = line,
                                              .column = column},
                        0);
}

/* The written member takes 24 columns: "idempotency_key":"k/5", */
static void test_problems_are_of_the_input(void **state)
{
        static const struct {
                const char *error, *want;
        } table[] = {
                {"{\"pointer\":\"/1/type\",\"line\":2,\"column\":33,\"detail\":\"d\"}",
                 "{\"pointer\":\"/type\",\"detail\":\"d\",\"line\":5,\"column\":11}"},
                {"{\"pointer\":\"/1\",\"line\":2,\"column\":1,\"detail\":\"d\"}",
                 "{\"pointer\":\"\",\"detail\":\"d\",\"line\":5,\"column\":3}"},
                {"{\"pointer\":\"/1/idempotency_key\",\"line\":2,\"column\":20}",
                 "{\"pointer\":\"/idempotency_key\",\"line\":5,\"column\":4}"},
                {"{\"pointer\":\"/1/payload/a~1b/0\",\"line\":3,\"column\":4,\"x\":[1]}",
                 "{\"pointer\":\"/payload/a~1b/0\",\"x\":[1],\"line\":6,\"column\":4}"},
                {"{\"detail\":\"no place\"}", "{\"detail\":\"no place\"}"},
                {"{\"pointer\":\"Idempotency-Key\"}", "{\"pointer\":\"Idempotency-Key\"}"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct batch_chunk c = {0};
                AUTO_BUFFER body = {0};
                AUTO_BUFFER problem = {0};
                AUTO_BUFFER want = {0};
                AUTO_BUFFER given = {0};
                add_job(&c, "{}", 4, 1);
                add_job(&c, "{\"type\":3,\n\"payload\":{}}", 5, 3);
                batch_chunk_request(&c, "k", false, 1, &body);
                buffer_printf(&given, "{\"status\":422,\"errors\":[%s],\"z\":1}", table[i].error);
                buffer_printf(&want, "{\"status\":422,\"errors\":[%s],\"z\":1}", table[i].want);
                batch_job_problem(&c.jobs[1].place, checked(given.data), &problem);
                assert_string_equal(problem.data, want.data);
                batch_chunk_fini(&c);
        }
}

static void test_refused_lines(void **state)
{
        static const struct {
                const char *text;
                uint64_t number; /* of an array; 0: a line */
                const char *want;
        } table[] = {
                {"{\"a\": \"b\"}", 0, "{\"line\":3,\"problem\":{ },\"job\":{\"a\": \"b\"}}\n"},
                {"{\r\n\"a\":\n1}", 2,
                 "{\"line\":3,\"number\":2,\"problem\":{ },\"job\":{  \"a\": 1}}\n"},
                {"{\"a", 0, "{\"line\":3,\"problem\":{ },\"text\":\"{\\\"a\"}\n"},
                {NULL, 0, "{\"line\":3,\"problem\":{ }}\n"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER out = {0};
                batch_job_refused(&(struct batch_place){.text = bytes_of_text(table[i].text),
                                                        .line = 3,
                                                        .in_array = table[i].number > 0,
                                                        .number = table[i].number},
                                  bytes_of_text("{\n}"), &out);
                assert_string_equal(out.data, table[i].want);
        }
}

static void test_verdicts(void **state)
{
        static const struct {
                const char *entry;
                enum batch_verdict want;
                msec wait;
        } table[] = {
                {"{\"id\":\"x\",\"status\":\"pending\"}", BATCH_ACCEPTED, 50},
                {"{\"id\":\"x\",\"told\":false}", BATCH_ACCEPTED, 50},
                {"{\"id\":\"x\",\"replayed\":true}", BATCH_REPLAYED, 50},
                {"{\"problem\":{\"status\":422}}", BATCH_REFUSED, 50},
                {"{\"problem\":{\"status\":400}}", BATCH_REFUSED, 50},
                {"{\"problem\":{\"status\":403}}", BATCH_REFUSED, 50},
                {"{\"problem\":{\"status\":413}}", BATCH_REFUSED, 50},
                {"{\"problem\":{\"status\":429,\"retry_after\":6}}", BATCH_LIMITED, 6000},
                {"{\"problem\":{\"status\":429,\"retry_after\":9999999999}}", BATCH_LIMITED,
                 MSEC_DAY},
                {"{\"problem\":{\"status\":409,\"retry_after\":0}}", BATCH_AGAIN, 50},
                {"{\"problem\":{\"status\":503}}", BATCH_AGAIN, 50},
                {"{\"problem\":{\"status\":503,\"accepted\":\"unknown\",\"id\":\"x\"}}",
                 BATCH_AGAIN, 50},
                {"{\"problem\":{\"status\":413,\"type\":\"urn:warren:problem:batch-ended\"}}",
                 BATCH_ENDED, 50},
                {"{}", BATCH_ENDED, 50},
                {"{\"id\":null}", BATCH_ENDED, 50},
                {"{\"id\":{}}", BATCH_ENDED, 50},
                {"{\"replays\":null}", BATCH_ENDED, 50},
                {"null", BATCH_ENDED, 50},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                msec wait = 50;
                assert_int_equal(batch_judge(checked(table[i].entry), false, &wait), table[i].want);
                assert_int_equal(wait, table[i].wait);
        }
}

static void test_pauses(void **state)
{
        static const msec want[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};

        (void)state;
        for (unsigned i = 0; i < COUNT(want); i++)
                assert_int_equal(batch_pause(i + 1), want[i]);
        assert_int_equal(batch_pause(4000000000U), 30000);
}

static void test_dry_verdicts(void **state)
{
        static const struct {
                const char *entry;
                enum batch_verdict want;
        } table[] = {
                {"{\"dry_run\":true,\"status\":\"pending\"}", BATCH_ACCEPTED},
                {"{\"dry_run\":true,\"replays\":\"x\"}", BATCH_REPLAYED},
                {"{\"problem\":{\"status\":429,\"retry_after\":6}}", BATCH_ACCEPTED},
                {"{\"problem\":{\"status\":409,\"retry_after\":1}}", BATCH_ACCEPTED},
                {"{\"problem\":{\"status\":503}}", BATCH_AGAIN},
                {"{\"problem\":{\"status\":422}}", BATCH_REFUSED},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                msec wait = 50;
                assert_int_equal(batch_judge(checked(table[i].entry), true, &wait), table[i].want);
                assert_int_equal(wait, 50);
        }
}

/* A bucket of whole tokens; the pauses between requests that take all of it. */
static void test_paces(void **state)
{
        static const struct {
                size_t rate, burst; /* a second; tokens */
                msec want;          /* the pause that is found */
        } table[] = {
                {100, 100, 500}, {20, 20, 500}, {20, 10, 500}, {100, 10, 500},
                {1, 1, 1000},    {10, 1, 500},  {2, 2, 500},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct batch_pace pace = {0};
                size_t micro = table[i].burst * 1000; /* 1000: a token */
                msec wait = 0;
                for (int request = 0; request < 20; request++) {
                        size_t made = micro / 1000;
                        wait = batch_pace(&pace, MSEC_SECOND, made);
                        micro = micro % 1000 + (size_t)wait * table[i].rate;
                        if (micro > table[i].burst * 1000)
                                micro = table[i].burst * 1000;
                }
                assert_int_equal(wait, table[i].want);
                assert_int_equal(batch_pace(&pace, 6000, 1), 6000);
        }
}

static void take(struct batch_chunk *c, const char *answer, struct chunk_answer *out)
{
        struct err e = {0};

        buffer_fini(&out->why);
        *out = (struct chunk_answer){0};
        if (batch_chunk_take(c, checked(answer), out, &e) < 0)
                fail_msg("%s", e.text);
}

#define ACCEPTED "{\"id\":\"x\"}"
#define LIMITED "{\"problem\":{\"status\":429,\"detail\":\"too fast\",\"retry_after\":2}}"
#define OVER_RATE "{\"problem\":{\"status\":429,\"retry_after\":1}}"
#define IN_FLIGHT "{\"problem\":{\"status\":409,\"retry_after\":1}}"
#define BUSY "{\"problem\":{\"status\":503,\"retry_after\":1}}"
#define WRONG "{\"problem\":{\"status\":422}}"
#define ENDED(status) \
        "{\"problem\":{\"type\":\"urn:warren:problem:batch-ended\",\"status\":" #status "}}"

static void test_only_open_jobs_are_sent_again(void **state)
{
        struct batch_chunk c = {0};
        struct chunk_answer answer = {0};
        AUTO_BUFFER first = {0};
        AUTO_BUFFER second = {0};
        AUTO_BUFFER refused = {0};
        struct chunk_settled settled;

        (void)state;
        add_job(&c, "{}", 1, 1);
        batch_chunk_add(&c, &(struct batch_place){.number = 2, .line = 2, .column = 1}, 0);
        add_job(&c, "bad", 3, 1);
        add_job(&c, "{}", 5, 1);
        batch_chunk_request(&c, "k", false, 1, &first);
        assert_string_equal(first.data, "{\"idempotency_key\":\"k/1\"}\nbad\n"
                                        "{\"idempotency_key\":\"k/5\"}\n");
        take(&c, "{\"jobs\":[" LIMITED "," WRONG "," ACCEPTED "]}", &answer);
        assert_int_equal(answer.settled, 2);
        assert_int_equal(answer.wait, 2000);
        assert_string_equal(answer.why.data, "too fast");
        assert_int_equal(batch_chunk_open(&c), 1);
        batch_chunk_request(&c, "k", true, 2, &second);
        assert_string_equal(second.data, "[\n{\"idempotency_key\":\"k/1\"}\n]\n");
        take(&c, "{\"jobs\":[{\"id\":\"y\",\"replayed\":true}]}", &answer);
        buffer_fini(&answer.why);
        assert_int_equal(batch_chunk_open(&c), 0);
        assert_int_equal(c.accepted, 2);
        assert_int_equal(c.replayed, 1);
        assert_int_equal(c.refused, 2);
        batch_chunk_take_settled(&c, &settled, &refused);
        assert_int_equal(settled.last, 5);
        assert_int_equal(c.count, 0);
        assert_memory_equal(refused.data, "{\"line\":2,", 10);
        assert_non_null(strstr(refused.data, "\n{\"line\":3,\"problem\":{\"status\":422},"
                                             "\"text\":\"bad\"}\n"));
        batch_chunk_fini(&c);
}

/* Sends the open jobs at that time, and takes the answer. */
static void ask(struct batch_chunk *c, msec at, const char *answer)
{
        struct chunk_answer taken = {0};
        AUTO_BUFFER body = {0};

        batch_chunk_request(c, "k", false, at, &body);
        take(c, answer, &taken);
        buffer_fini(&taken.why);
}

#define UNKNOWN "{\"problem\":{\"status\":503,\"accepted\":\"unknown\"}}"

/* Only a rate's wait is shortened. */
static void test_pauses_of_answers(void **state)
{
        static const struct {
                const char *answer; /* to three jobs, after one that accepted a job in a second */
                msec want;
        } table[] = {
                {"[" ACCEPTED "," OVER_RATE "," OVER_RATE "]", 500},
                {"[" ACCEPTED "," OVER_RATE "," BUSY "]", 1000},
                {"[" ACCEPTED "," BUSY "," BUSY "]", 1000},
                {"[" ACCEPTED "," IN_FLIGHT "," OVER_RATE "]", 1000},
                {"[" ACCEPTED "," LIMITED "," OVER_RATE "]", 2000},
                {"[" ACCEPTED "," ENDED(503) "]", 700},
                {"[" ACCEPTED "," OVER_RATE "," ENDED(503) "]", 1000},
                {"[" OVER_RATE "," OVER_RATE "," OVER_RATE "]", 1000},
                {"[" BUSY "," BUSY "," BUSY "]", 1000},
                {"[" ENDED(503) "]", 700},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct batch_pace pace = {.wait = MSEC_SECOND, .made = 1};
                struct batch_chunk c = {0};
                struct chunk_answer answer = {0};
                AUTO_BUFFER text = {0};
                AUTO_BUFFER body = {0};
                for (unsigned n = 1; n <= 3; n++)
                        add_job(&c, "{}", n, 1);
                batch_chunk_request(&c, "k", false, 1, &body);
                buffer_printf(&text, "{\"jobs\":%s}", table[i].answer);
                take(&c, text.data, &answer);
                assert_int_equal(batch_chunk_pause(&c, &answer, &pace, 700), table[i].want);
                buffer_fini(&answer.why);
                batch_chunk_fini(&c);
        }
}

static void test_settled_jobs_leave_before_the_chunk_ends(void **state)
{
        struct batch_chunk c = {0};
        struct chunk_settled settled;
        AUTO_BUFFER refused = {0};
        AUTO_BUFFER body = {0};

        (void)state;
        add_job(&c, "{}", 1, 1);
        add_job(&c, "bad", 2, 1);
        add_job(&c, "{\"a\":1}", 3, 1);
        add_job(&c, "{}", 4, 1);
        batch_chunk_take_settled(&c, &settled, &refused);
        assert_int_equal(settled.last, 0);
        ask(&c, 10, "{\"jobs\":[" ACCEPTED "," WRONG "," LIMITED "," ACCEPTED "]}");
        batch_chunk_take_settled(&c, &settled, &refused);
        assert_int_equal(settled.last, 2);
        assert_int_equal(settled.accepted, 1);
        assert_int_equal(settled.refused, 1);
        assert_non_null(strstr(refused.data, "\"text\":\"bad\"}\n"));
        assert_int_equal(c.count, 2);
        assert_int_equal(c.accepted, 1);
        assert_int_equal(c.refused, 0);
        assert_int_equal(batch_chunk_open(&c), 1);
        batch_chunk_request(&c, "k", false, 20, &body);
        assert_string_equal(body.data, "{\"idempotency_key\":\"k/3\",\"a\":1}\n");
        ask(&c, 20, "{\"jobs\":[{\"id\":\"y\",\"replayed\":true}]}");
        batch_chunk_take_settled(&c, &settled, &refused);
        assert_int_equal(settled.last, 4);
        assert_int_equal(settled.accepted, 2);
        assert_int_equal(settled.replayed, 1);
        assert_int_equal(c.count + c.accepted + c.replayed, 0);
        batch_chunk_fini(&c);
}

/* How old the keys may be that the gateway has. */
static void test_the_age_of_keys(void **state)
{
        static const struct {
                const char *answer; /* to two jobs, sent at 10; NULL: none */
                msec earlier;       /* another run may have sent them then */
                msec unknown, any;  /* want */
        } table[] = {
                {NULL, 0, 10, 10},
                {NULL, 5, 5, 5},
                {"{\"jobs\":[" LIMITED "," LIMITED "]}", 0, 0, 0},
                {"{\"jobs\":[" LIMITED "," LIMITED "]}", 5, 0, 0},
                {"{\"jobs\":[" LIMITED "," UNKNOWN "]}", 0, 10, 10},
                {"{\"jobs\":[" LIMITED "," ACCEPTED "]}", 0, 0, 10},
                {"{\"jobs\":[" UNKNOWN "," ACCEPTED "]}", 5, 5, 5},
                {"{\"jobs\":[" WRONG "," WRONG "]}", 5, 0, 0},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct batch_chunk c = {0};
                AUTO_BUFFER body = {0};
                for (unsigned n = 1; n <= 2; n++)
                        batch_chunk_add(
                                &c, &(struct batch_place){.text = bytes_of_text("{}"), .number = n},
                                table[i].earlier);
                assert_int_equal(batch_chunk_unknown_since(&c), table[i].earlier);
                if (table[i].answer == NULL)
                        batch_chunk_request(&c, "k", false, 10, &body);
                else
                        ask(&c, 10, table[i].answer);
                assert_int_equal(batch_chunk_unknown_since(&c), table[i].unknown);
                assert_int_equal(batch_chunk_since(&c), table[i].any);
                batch_chunk_request(&c, "k", false, 20, &body);
                assert_true(batch_chunk_open(&c) == 0 || batch_chunk_unknown_since(&c) > 0);
                batch_chunk_fini(&c);
        }
}

static void test_answers_that_end_early(void **state)
{
        static const struct {
                const char *answer;
                enum err_code want;
                size_t open;
        } table[] = {
                {"{\"jobs\":[" ACCEPTED "," ENDED(503) "]}", ERR_NONE, 1},
                {"{\"jobs\":[" ENDED(503) "]}", ERR_NONE, 2},
                {"{\"jobs\":[" ACCEPTED "," ENDED(413) "]}", ERR_NONE, 1},
                {"{\"jobs\":[" ENDED(413) "]}", ERR_INVALID, 2},
                {"{\"jobs\":[" ACCEPTED "]}", ERR_PROTOCOL, 1},
                {"{\"jobs\":[]}", ERR_PROTOCOL, 2},
                {"{\"jobs\":3}", ERR_PROTOCOL, 2},
                {"null", ERR_PROTOCOL, 2},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct batch_chunk c = {0};
                struct chunk_answer answer = {0};
                struct err e = {0};
                AUTO_BUFFER body = {0};
                add_job(&c, "{}", 1, 1);
                add_job(&c, "{}", 2, 1);
                batch_chunk_request(&c, "k", false, 1, &body);
                int taken = batch_chunk_take(&c, checked(table[i].answer), &answer, &e);
                assert_int_equal(taken, table[i].want == ERR_NONE ? 0 : -1);
                assert_int_equal(e.code, table[i].want);
                assert_int_equal(batch_chunk_open(&c), table[i].open);
                buffer_fini(&answer.why);
                batch_chunk_fini(&c);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keys),
                cmocka_unit_test(test_key_forms),
                cmocka_unit_test(test_problems_are_of_the_input),
                cmocka_unit_test(test_refused_lines),
                cmocka_unit_test(test_verdicts),
                cmocka_unit_test(test_dry_verdicts),
                cmocka_unit_test(test_pauses),
                cmocka_unit_test(test_paces),
                cmocka_unit_test(test_only_open_jobs_are_sent_again),
                cmocka_unit_test(test_pauses_of_answers),
                cmocka_unit_test(test_settled_jobs_leave_before_the_chunk_ends),
                cmocka_unit_test(test_the_age_of_keys),
                cmocka_unit_test(test_answers_that_end_early),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
