/* SPDX-License-Identifier: Apache-2.0
 *
 * problem_test.c: refusals written as JSON.
 */
#include <jansson.h>
#include <string.h>

#include "common/http/problem.h"
#include "common/http/request.h"
#include "tests/unit/unit.h"

static json_t *written(const struct problem *p)
{
        AUTO_BUFFER out = {0};

        problem_write(p, &out);
        json_t *json = json_loadb(out.data, out.length, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(json);
        return json;
}

static const char *text(const json_t *json, const char *name)
{
        return json_string_value(json_object_get(json, name));
}

static void test_plain(void **state)
{
        (void)state;
        json_t *json = written(&(struct problem){
                .status = 404,
                .detail = "no \"such\" job\n\xff",
                .instance = "/api/v1/jobs/7",
                .traceparent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"});

        assert_string_equal(text(json, "type"), "about:blank");
        assert_string_equal(text(json, "title"), "Not Found");
        assert_int_equal(json_integer_value(json_object_get(json, "status")), 404);
        assert_string_equal(text(json, "detail"), "no \"such\" job\n\xef\xbf\xbd");
        assert_string_equal(text(json, "instance"), "/api/v1/jobs/7");
        assert_string_equal(text(json, "trace_id"), "0123456789abcdef0123456789abcdef");
        assert_null(json_object_get(json, "errors"));
        json_decref(json);
}

static void test_fault_and_members(void **state)
{
        (void)state;
        struct scan_fault fault = {
                .pointer = "/payload/0", .line = 3, .column = 7, .detail = "too deep"};
        json_t *members = json_pack("{s:s,s:s}", "id", "x", "accepted", "unknown");
        json_t *json = written(&(struct problem){.status = 400,
                                                 .type = "urn:warren:problem:test",
                                                 .fault = &fault,
                                                 .members = members});

        assert_string_equal(text(json, "type"), "urn:warren:problem:test");

        json_t *error = json_array_get(json_object_get(json, "errors"), 0);
        assert_string_equal(text(error, "pointer"), "/payload/0");
        assert_string_equal(text(error, "detail"), "too deep");
        assert_int_equal(json_integer_value(json_object_get(error, "line")), 3);
        assert_int_equal(json_integer_value(json_object_get(error, "column")), 7);
        assert_string_equal(text(json, "accepted"), "unknown");
        json_decref(json);
        json_decref(members);
}

static void test_status(void **state)
{
        (void)state;
        static const struct {
                enum err_code code;
                int want;
        } cases[] = {
                {ERR_INVALID, 422},     {ERR_TOO_LARGE, 413}, {ERR_NOT_FOUND, 404},
                {ERR_CONFLICT, 409},    {ERR_FORBIDDEN, 403}, {ERR_FULL, 503},
                {ERR_UNAVAILABLE, 503}, {ERR_TIMEOUT, 503},   {ERR_PROTOCOL, 500},
                {ERR_CORRUPT, 500},     {ERR_SYSTEM, 500},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_int_equal(problem_status(cases[i].code), cases[i].want);
}

static void test_trace(void **state)
{
        (void)state;
        static const char given[] = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
        static const char *const bad[] = {
                NULL, "", "00-", "00-0123",
                "00-00000000000000000000000000000000-0123456789abcdef-01"};
        char out[TRACEPARENT_SIZE];

        trace_continue(given, out);
        assert_string_equal(out, given);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                trace_continue(bad[i], out);
                assert_int_equal(strlen(out), TRACEPARENT_SIZE - 1);
                const char *id = out + TRACE_ID_AT;
                assert_int_equal(strspn(id, "0123456789abcdef"), TRACE_ID_LENGTH);
                assert_int_not_equal(strspn(id, "0"), TRACE_ID_LENGTH);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_fault_and_members),
                cmocka_unit_test(test_status),
                cmocka_unit_test(test_trace),
        };
        return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
