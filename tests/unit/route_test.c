/* SPDX-License-Identifier: Apache-2.0
 *
 * route_test.c: paths, queries and the table of routes.
 */
#include "common/base/bytes.h"
#include "common/http/client.h"
#include "common/http/route.h"
#include "common/http/target.h"
#include "tests/unit/unit.h"

static const struct http_route routes[] = {
        {.method = "GET", .pattern = "/api/jobs"},
        {.method = "POST", .pattern = "/api/jobs"},
        {.method = "GET", .pattern = "/api/jobs/{id}"},
        {.method = "POST", .pattern = "/api/jobs/batch"},
        {.method = "GET", .pattern = "/api/jobs/{id}/attempts"},
        {.method = "DELETE", .pattern = "/api/tenants/{t}/keys/{id}"},
        {.method = NULL},
};

static void test_match(void **state)
{
        (void)state;
        static const struct {
                const char *method, *path;
                const char *want; /* the pattern; NULL: none */
                const char *want_allow;
                const char *want_first, *want_second; /* parameters */
        } cases[] = {
                {"GET", "/api/jobs", "/api/jobs", "", NULL, NULL},
                {"HEAD", "/api/jobs", "/api/jobs", "", NULL, NULL},
                {"DELETE", "/api/jobs", NULL, "GET, HEAD, POST", NULL, NULL},
                {"GET", "/api/jobs/", NULL, "", NULL, NULL},
                {"GET", "/api//jobs", NULL, "", NULL, NULL},
                {"GET", "/api/jobs/7", "/api/jobs/{id}", "", "7", NULL},
                {"GET", "/api/jobs/a%2Fb", "/api/jobs/{id}", "", "a/b", NULL},
                {"GET", "/api/j%6fbs", "/api/jobs", "", NULL, NULL},
                {"GET", "/api/jobs/7/attempts", "/api/jobs/{id}/attempts", "", "7", NULL},
                {"POST", "/api/jobs/7/attempts", NULL, "GET, HEAD", NULL, NULL},
                {"GET", "/api/jobs/7/attempts/1", NULL, "", NULL, NULL},
                {"DELETE", "/api/tenants/acme/keys/k1", "/api/tenants/{t}/keys/{id}", "", "acme",
                 "k1"},
                {"POST", "/api/jobs/batch", "/api/jobs/batch", "", NULL, NULL},
                {"GET", "/api/jobs/batch", NULL, "POST", NULL, NULL},
                {"PUT", "/api/jobs/batch", NULL, "POST", NULL, NULL},
                {"GET", "/", NULL, "", NULL, NULL},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct path path;
                struct route_match m;
                struct err e = {0};
                assert_int_equal(path_parse(cases[i].path, &path, &e), 0);
                route_match(routes, cases[i].method, &path, &m);
                if (cases[i].want == NULL)
                        assert_null(m.route);
                else
                        assert_string_equal(m.route->pattern, cases[i].want);
                assert_string_equal(m.allow, cases[i].want_allow);
                if (cases[i].want_first != NULL)
                        assert_string_equal(m.params[0].value, cases[i].want_first);
                if (cases[i].want_second != NULL)
                        assert_string_equal(m.params[1].value, cases[i].want_second);
                path_fini(&path);
        }
}

static void test_bad_paths(void **state)
{
        (void)state;
        static const struct {
                const char *path;
                enum err_code want;
        } cases[] = {
                {"jobs", ERR_INVALID},
                {"", ERR_INVALID},
                {"/%", ERR_INVALID},
                {"/%4", ERR_INVALID},
                {"/%zz", ERR_INVALID},
                {"/a%00b", ERR_INVALID},
                {"/%ff%fe", ERR_INVALID},
                {"/%c0%af", ERR_INVALID},
                {"/1/2/3/4/5/6/7/8/9/10/11/12/13", ERR_NOT_FOUND},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct path path;
                struct err e = {0};
                assert_int_equal(path_parse(cases[i].path, &path, &e), -1);
                assert_int_equal(e.code, cases[i].want);
                path_fini(&path);
        }
}

static void test_query(void **state)
{
        (void)state;
        struct query q;
        struct err e = {0};

        assert_int_equal(query_parse("status=dead&q=a+b%26c&flag&empty=", &q, &e), 0);
        assert_int_equal(q.count, 4);
        assert_string_equal(query_find(&q, "status"), "dead");
        assert_string_equal(query_find(&q, "q"), "a b&c");
        assert_string_equal(query_find(&q, "flag"), "");
        assert_string_equal(query_find(&q, "empty"), "");
        assert_null(query_find(&q, "other"));
        query_fini(&q);
        assert_int_equal(query_parse(NULL, &q, &e), 0);
        assert_int_equal(q.count, 0);
        query_fini(&q);

        static const char *const bad[] = {"a=1&a=2", "a=1&%61=2", "a=%", "%0=1", "a=%00", "a=%ff"};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct err why = {0};
                assert_int_equal(query_parse(bad[i], &q, &why), -1);
                assert_int_equal(why.code, ERR_INVALID);
                query_fini(&q);
        }
}

static void test_encode(void **state)
{
        (void)state;
        AUTO_BUFFER out = {0};
        struct query back;
        struct err e = {0};

        url_encode(&out, "a b/c?d=é&~._-");
        assert_string_equal(out.data, "a%20b%2Fc%3Fd%3D%C3%A9%26~._-");
        assert_int_equal(query_parse(out.data, &back, &e), 0);
        assert_int_equal(back.count, 1);
        assert_string_equal(back.pairs[0].name, "a b/c?d=é&~._-");
        query_fini(&back);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_match),
                cmocka_unit_test(test_bad_paths),
                cmocka_unit_test(test_query),
                cmocka_unit_test(test_encode),
        };
        return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
