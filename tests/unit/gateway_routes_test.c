/* SPDX-License-Identifier: Apache-2.0
 *
 * gateway_routes_test.c: the table of public paths.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "gateway/handlers.h"
#include "gateway/routes.h"

static struct gateway gateway;

static int open_routes(void **state)
{
        static const struct gateway_settings settings = {.payload_max = 1000};

        (void)state;
        gateway.settings = &settings;
        routes_init(&gateway);
        return 0;
}

/* What is submitted is no administrative act. */
static bool submits(const struct http_route *route)
{
        return (route->scope & SCOPE_SUBMIT) != 0;
}

static void every_change_is_an_act_and_no_read_is(void **state)
{
        (void)state;
        for (const struct http_route *r = gateway.routes; r->method != NULL; r++) {
                const struct public_route *p = routes_public(&gateway, r);
                bool changes = strcmp(r->method, "GET") != 0 && !submits(r);
                assert_string_equal(p->route.pattern, r->pattern);
                if ((p->act != NULL) != changes)
                        fail_msg("%s %s", r->method, r->pattern);
                if (p->act == NULL || r->body_max == 0)
                        assert_int_equal(p->flags, 0);
        }
}

static void a_submission_may_be_larger_than_a_payload(void **state)
{
        (void)state;
        assert_int_equal(gateway.routes[0].body_max, SUBMISSION_EXTRA + 1000);
        assert_string_equal(gateway.route_names[0], "POST /api/v1/jobs");
}

static void every_route_is_there_once_with_its_whole_name(void **state)
{
        (void)state;
        for (size_t i = 0; gateway.routes[i].method != NULL; i++) {
                assert_true(strlen(gateway.route_names[i]) < ROUTE_NAME_SIZE - 1);
                for (size_t j = 0; j < i; j++)
                        assert_string_not_equal(gateway.route_names[i], gateway.route_names[j]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_change_is_an_act_and_no_read_is),
                cmocka_unit_test(a_submission_may_be_larger_than_a_payload),
                cmocka_unit_test(every_route_is_there_once_with_its_whole_name),
        };
        return cmocka_run_group_tests(tests, open_routes, NULL);
}
