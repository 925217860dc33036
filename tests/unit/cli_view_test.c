/* SPDX-License-Identifier: Apache-2.0
 *
 * cli_view_test.c: members as text, ages, refusals, request bodies, URLs with a login.
 */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "ui/cli/api.h"
#include "ui/cli/settings.h"
#include "ui/cli/view.h"

static struct scan_value value_of(const char *json)
{
        struct scan_fault f;

        assert_int_equal(scan_check(bytes_of_text(json), 64, &f), 0);
        return scan_root(bytes_of_text(json));
}

static void test_members(void **state)
{
        static const struct {
                const char *path, *want; /* NULL: nothing */
        } table[] = {
                {"text", "a\"b"},  {"number", "0.10"}, {"null", NULL},
                {"missing", NULL}, {"in.deep", "1"},   {"in.missing", NULL},
                {"text.x", NULL},  {"list", "[1, 2]"}, {"in", "{\"deep\":1}"},
        };
        struct scan_value v = value_of("{\"text\":\"a\\\"b\",\"number\":0.10,\"null\":null,"
                                       "\"in\":{\"deep\":1},\"list\":[1, 2]}");

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER out = {0};
                assert_int_equal(view_add(v, table[i].path, &out), table[i].want != NULL);
                if (table[i].want != NULL)
                        assert_string_equal(out.data, table[i].want);
        }
        assert_int_equal(view_int(v, "in.deep"), 1);
        assert_int_equal(view_int(v, "text"), -1);
}

static void test_ages(void **state)
{
        static const struct {
                const char *at, *want;
        } table[] = {
                {"{\"at\":\"1970-01-01T00:16:39.500Z\"}", "500ms ago"},
                {"{\"at\":\"1970-01-01T00:16:00Z\"}", "40s ago"},
                {"{\"at\":\"1970-01-01T00:00:00Z\"}", "16m40s ago"},
                {"{\"at\":\"1970-01-01T05:16:40Z\"}", "in 5h"},
                {"{\"at\":\"1970-01-04T00:16:40Z\"}", "in 3d"},
                {"{\"at\":\"soon\"}", "soon"},
                {"{\"at\":null}", ""},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER out = {0};
                view_add_age(value_of(table[i].at), "at", 1000000, &out);
                assert_string_equal(buffer_bytes(&out).data, table[i].want);
        }
}

static void test_spans(void **state)
{
        static const struct {
                msec span;
                const char *want;
        } table[] = {
                {0, "0ms"},          {999, "999ms"},    {1990, "2.0s"},    {3999, "4.0s"},
                {3940, "3.9s"},      {9949, "9.9s"},    {9951, "10s"},     {59499, "59s"},
                {59500, "1m"},       {69632, "1m10s"},  {92000, "1m32s"},  {3599900, "1h"},
                {19800000, "5h30m"}, {172799999, "2d"}, {400000000, "5d"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER out = {0};
                view_add_span(table[i].span, &out);
                assert_string_equal(out.data, table[i].want);
        }
}

static void test_kinds(void **state)
{
        static const struct {
                const char *path;
                enum view_kind kind;
                const char *json, *want; /* "": left out */
        } table[] = {
                {"progress", VIEW_PROGRESS,
                 "{\"status\":\"running\",\"progress\":{\"value\":0.26,\"message\":\"half\"}}",
                 "title           26 %  half\n"},
                {"progress", VIEW_PROGRESS, "{\"progress\":{\"value\":0,\"message\":null}}",
                 "title           0 %\n"},
                {"progress", VIEW_PROGRESS,
                 "{\"status\":\"completed\",\"progress\":{\"value\":0.7685}}", ""},
                {"progress", VIEW_PROGRESS, "{\"status\":\"running\",\"progress\":null}", ""},
                {"error", VIEW_ERROR, "{\"error\":\"no\",\"reason\":\"permanent\"}",
                 "title           no\n"},
                {"error", VIEW_ERROR, "{\"error\":null,\"reason\":\"unroutable\"}",
                 "title           unroutable\n"},
                {"error", VIEW_ERROR, "{\"error\":\"\",\"reason\":\"unroutable\"}",
                 "title           unroutable\n"},
                {"scopes", VIEW_LIST, "{\"scopes\":[\"submit\", \"read\"]}",
                 "title           submit,read\n"},
                {"scopes", VIEW_LIST, "{\"scopes\":null}", ""},
                {"on", VIEW_FLAG, "{\"on\":true}", "title           yes\n"},
                {"on", VIEW_FLAG, "{\"on\":false}", "title           no\n"},
                {"on", VIEW_FLAG, "{}", ""},
                {"on", VIEW_MARK, "{\"on\":true}", "title           yes\n"},
                {"on", VIEW_MARK, "{\"on\":false}", ""},
                {"n", VIEW_COUNT, "{\"n\":2}", "title           2\n"},
                {"n", VIEW_COUNT, "{\"n\":0}", ""},
                {"n", VIEW_COUNT, "{}", ""},
                {"p", VIEW_AMQP, "{\"p\":{\"timestamp\":{\"timestamp\":10},\"app_id\":\"a\\\"b\"}}",
                 "title           {\"timestamp\":\"1970-01-01T00:00:10.000Z\","
                 "\"app_id\":\"a\\\"b\"}\n"},
                {"p", VIEW_AMQP, "{\"p\":{}}", "title           {}\n"},
                {"p", VIEW_AMQP, "{\"p\":{\"at\":{\"timestamp\":9e99}}}",
                 "title           {\"at\":{\"timestamp\":9e99}}\n"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                const struct view_column columns[] = {
                        {"title", table[i].path, table[i].kind},
                        {NULL, NULL, VIEW_TEXT},
                };
                AUTO_BUFFER out = {0};
                view_fields(columns, value_of(table[i].json), 0, false, &out);
                buffer_add_char(&out, '\0');
                assert_string_equal(out.data, table[i].want);
        }
}

static void test_a_long_title_stands_apart(void **state)
{
        static const struct view_column columns[] = {
                {"payload base64", "payload_base64", VIEW_TEXT},
                {NULL, NULL, VIEW_TEXT},
        };
        AUTO_BUFFER out = {0};

        (void)state;
        view_fields(columns, value_of("{\"payload_base64\":\"25v\"}"), 0, false, &out);
        assert_string_equal(out.data, "payload base64  25v\n");
}

static void test_refusals(void **state)
{
        static const struct {
                const char *answer, *body, *want;
        } table[] = {
                {"{\"title\":\"T\",\"detail\":\"no\"}", NULL, "no"},
                {"{\"title\":\"T\"}", NULL, "T"},
                {"{}", NULL, "the gateway answered 422"},
                {"{\"detail\":\"bad\",\"errors\":[{\"pointer\":\"/run_at\",\"line\":1,"
                 "\"column\":22,\"detail\":\"bad\"}]}",
                 "{\"type\":\"x\",\"run_at\":\"tomorrow\",\"payload\":1}", "run_at: bad"},
                {"{\"detail\":\"bad\",\"errors\":[{\"pointer\":\"\",\"detail\":\"bad\"},"
                 "{\"pointer\":\"/type\",\"detail\":\"worse\"}]}",
                 NULL, "bad\n  type: worse"},
                {"{\"errors\":[{\"pointer\":\"/payload/a\",\"line\":1,\"column\":30,"
                 "\"detail\":\"bad\"}]}",
                 "{\"type\":\"x\",\"payload\": {\"a\": 0}}", "payload/a: line 1, column 8: bad"},
                {"{\"errors\":[{\"pointer\":\"/payload/a\",\"line\":3,\"column\":2,"
                 "\"detail\":\"bad\"}]}",
                 "{\"type\":\"x\",\"payload\":\n{\n\"a\": 0}}", "payload/a: line 3, column 2: bad"},
                {"{\"errors\":[{\"pointer\":\"/payload\",\"line\":1,\"column\":2,"
                 "\"detail\":\"bad\"}]}",
                 "{\"type\":\"x\"}", "payload: bad"},
                {"{\"detail\":\"no\",\"accepted\":\"unknown\",\"id\":\"7\"}", NULL,
                 "no\n  it may have been accepted; its id is 7"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_REPLY reply = {.status = 422};
                AUTO_BUFFER out = {0};
                buffer_add_text(&reply.body, table[i].answer);
                api_explain(&reply, bytes_of_text(table[i].body), &out);
                assert_string_equal(out.data, table[i].want);
        }
}

static void test_bodies(void **state)
{
        static const struct option delay = {"delay", "D", .member = "delay", .number = true};
        static const struct option time = {"time", "D", .member = "timeout", .number = true};
        static const struct option rate = {"rate", "R", .member = "rate", .number = true};
        static const struct option key = {"key", "TEXT", .member = "key"};
        static const struct option login = {"amqp-login", .member = "amqp_login"};
        static const struct option wait = {"wait", .help = "of no body"};
        const struct arguments given = {
                .given = {{&delay, "30"},
                          {&time, "30s"},
                          {&rate, "[1]"},
                          {&key, "7"},
                          {&login, ""},
                          {&wait, ""}},
                .given_count = 6,
        };
        AUTO_BUFFER body = {0};

        (void)state;
        json_begin(&body);
        json_put_given(&body, "type", bytes_of_text("a\"b"));
        json_put_given(&body, "absent", bytes_of_text(NULL));
        api_body_options(&body, &given);
        json_put_raw(&body, "payload", bytes_of_text("{\"x\": 0.10}"));
        json_end(&body);
        assert_string_equal(body.data, "{\"type\":\"a\\\"b\",\"delay\":30,\"timeout\":\"30s\","
                                       "\"rate\":\"[1]\",\"key\":\"7\",\"amqp_login\":true,"
                                       "\"payload\":{\"x\": 0.10}}");
}

static void test_payload(void **state)
{
        static const struct {
                const char *argument, *want; /* NULL: accepted */
        } table[] = {
                {"{\"a\": 1}", NULL},
                {"null", NULL},
                {"", "the text ends"},
                {"{\"a\": 1,\n\"a\": 2}", "line 2, column 1: a member of this name"},
                {"@/nonexistent/file", "No such file"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER out = {0};
                struct err e = {0};
                AUTO_FREE char *want = xasprintf("\"payload\":%s", table[i].argument);
                int got = api_body_payload(&out, table[i].argument, &e);
                assert_int_equal(got, table[i].want == NULL ? 0 : -1);
                if (got == 0)
                        assert_string_equal(out.data, want);
                else if (strstr(e.text, table[i].want) == NULL)
                        fail_msg("case %zu: '%s' lacks '%s'", i, e.text, table[i].want);
        }
}

static void test_url_login(void **state)
{
        static const struct {
                const char *text, *url, *login, *password, *vhost;
        } table[] = {
                {"amqp://h:1/v", "amqp://h:1/v", NULL, NULL, "v"},
                {"amqp://u:p@h:1/v", "amqp://h:1/v", "u", "p", "v"},
                {"amqp://u:p%40%2Fq@h/%2Fx", "amqp://h/%2Fx", "u", "p@/q", "/x"},
                {"http://u:a@b@h", "http://h", "u", "a@b", "/"},
                {"http://u@h/", "http://h/", "u", NULL, "/"},
                {"http://h/path@x", "http://h/path@x", NULL, NULL, "path@x"},
                {"http://u:p%@h", "http://h", "u", "p%", "/"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct url_login got __attribute__((cleanup(url_login_fini))) = {0};
                struct err e = {0};
                assert_int_equal(url_login_split(table[i].text, &got, &e), 0);
                assert_string_equal(got.url, table[i].url);
                assert_int_equal(got.login == NULL, table[i].login == NULL);
                if (got.login != NULL)
                        assert_string_equal(got.login, table[i].login);
                assert_int_equal(got.password == NULL, table[i].password == NULL);
                if (got.password != NULL)
                        assert_string_equal(got.password, table[i].password);
                AUTO_FREE char *vhost = url_vhost(got.url);
                assert_string_equal(vhost, table[i].vhost);
        }
        struct url_login none = {0};
        struct err e = {0};
        assert_int_equal(url_login_split("localhost:1", &none, &e), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_members),
                cmocka_unit_test(test_ages),
                cmocka_unit_test(test_bodies),
                cmocka_unit_test(test_payload),
                cmocka_unit_test(test_url_login),
                cmocka_unit_test(test_spans),
                cmocka_unit_test(test_kinds),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_a_long_title_stands_apart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
