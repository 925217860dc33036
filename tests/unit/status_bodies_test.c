/* SPDX-License-Identifier: Apache-2.0
 *
 * status_bodies_test.c: what a request body may contain for a tenant, a type and a key, and what of
 * it is stored.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "common/base/own.h"
#include "status-store/key_body.h"
#include "status-store/tenant_body.h"
#include "status-store/type_body.h"

static void bodies_are_judged(void **state)
{
        static const struct {
                const char *body;
                int want;
                const char *pointer;
        } table[] = {
                {"{\"name\":\"acme\"}", 0, ""},
                {"{\"name\":\"a\",\"rate\":\"unlimited\",\"max_pending\":\"unlimited\"}", 0, ""},
                {"{\"name\":\"a\",\"rate\":\"100/1.5s\",\"burst\":7,\"weight\":3}", 0, ""},
                {"{\"name\":\"a\",\"max_running\":\"unlimited\",\"amqp_login\":true}", 0, ""},
                {"{\"name\":\"a\",\"max_running\":1}", 0, ""},
                {"{\"name\":\"a\",\"max_running\":10000}", 0, ""},
                {"{\"name\":\"a\",\"max_running\":10001}", 422, "/max_running"},
                {"{\"name\":\"a\",\"max_running\":0}", 422, "/max_running"},
                {"{\"name\":\"a\",\"max_running\":\"5\"}", 422, "/max_running"},
                {"{\"name\":\"a\",\"rate\":\"10/1d\"}", 0, ""},
                {"{\"name\":\"a\",\"rate\":\"10/1d1ms\"}", 422, "/rate"},
                {"{}", 422, ""},
                {"[]", 422, ""},
                {"", 400, ""},
                {"{\"name\":\"acme\",}", 400, NULL},
                {"{\"name\":\"a\",\"name\":\"b\"}", 400, NULL},
                {"{\"name\":\"Acme\"}", 422, "/name"},
                {"{\"name\":\"warrens\"}", 422, "/name"},
                {"{\"name\":\"\"}", 422, "/name"},
                {"{\"name\":\"a\\u0000\"}", 422, "/name"},
                {"{\"name\":5}", 422, "/name"},
                {"{\"name\":\"a\",\"rate\":10}", 422, "/rate"},
                {"{\"name\":\"a\",\"rate\":\"10\"}", 422, "/rate"},
                {"{\"name\":\"a\",\"rate\":\"/1m\"}", 422, "/rate"},
                {"{\"name\":\"a\",\"rate\":\"-1/1m\"}", 422, "/rate"},
                {"{\"name\":\"a\",\"rate\":\"0/1m\"}", 422, "/rate"},
                {"{\"name\":\"a\",\"rate\":\"1/0s\"}", 422, "/rate"},
                {"{\"name\":\"a\",\"rate\":\"99999999999999999999/1s\"}", 422, "/rate"},
                {"{\"name\":\"a\",\"burst\":0}", 422, "/burst"},
                {"{\"name\":\"a\",\"burst\":1.5}", 422, "/burst"},
                {"{\"name\":\"a\",\"weight\":1001}", 422, "/weight"},
                {"{\"name\":\"a\",\"amqp_login\":1}", 422, "/amqp_login"},
                {"{\"name\":\"a\",\"colour\":1}", 422, "/colour"},
                {"{\"name\":\"a\",\"colour\":null}", 422, "/colour"},
                {"{\"name\":\"a\",\"rate\":null,\"burst\":null,\"max_running\":null,"
                 "\"max_pending\":null,\"weight\":null,\"amqp_login\":null}",
                 0, NULL},
                {"{\"name\":null}", 422, ""},
                {"{\"name\":\"a\",\"rate\":\"10/1h30m\"}", 0, NULL},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct tenant t = {.record = tenant_record_default};
                struct scan_fault fault = {0};
                int got =
                        tenant_body_read(bytes_of_text(table[i].body), BODY_NEW_TENANT, &t, &fault);
                if (got != table[i].want)
                        fail_msg("%s: %d, not %d", table[i].body, got, table[i].want);
                if (got != 0 && table[i].pointer != NULL)
                        assert_string_equal(fault.pointer, table[i].pointer);
                assert_true(got == 0 || fault.detail[0] != '\0');
        }
}

static void what_a_body_says_is_kept(void **state)
{
        struct tenant t = {.record = tenant_record_default};
        struct scan_fault fault;
        (void)state;
        assert_int_equal(tenant_body_read(bytes_of_text("{\"name\":\"acme\",\"rate\":\"20/1m\"}"),
                                          BODY_NEW_TENANT, &t, &fault),
                         0);
        assert_int_equal(t.record.burst, 20);
        json_t *shown = tenant_json(&t);
        assert_string_equal(json_string_value(json_object_get(shown, "rate")), "20/1m");
        assert_int_equal(json_integer_value(json_object_get(shown, "max_running")), 5);
        assert_int_equal(json_integer_value(json_object_get(shown, "max_pending")), 100000);
        json_decref(shown);
        assert_int_equal(tenant_body_read(bytes_of_text("{\"name\":null,\"rate\":null}"),
                                          BODY_TENANT_CHANGE, &t, &fault),
                         0);
        assert_int_equal(t.record.rate_count, 20);
        assert_int_equal(tenant_body_read(bytes_of_text("{\"name\":\"other\"}"), BODY_TENANT_CHANGE,
                                          &t, &fault),
                         422);
}

static void type_bodies_are_judged(void **state)
{
        static const struct {
                const char *body;
                int want;
                int64_t running, count;
                msec per;
        } table[] = {
                {"{}", 0, 7, RECORD_UNLIMITED, 0},
                {"{\"max_running\":5,\"max_rate\":\"10/1s\"}", 0, 5, 10, 1000},
                {"{\"max_running\":\"unlimited\",\"max_rate\":\"unlimited\"}", 0, RECORD_UNLIMITED,
                 RECORD_UNLIMITED, 0},
                {"{\"max_running\":null,\"max_rate\":null}", 0, 7, RECORD_UNLIMITED, 0},
                {"{\"max_rate\":\"1000/1s\"}", 0, 7, 1000, 1000},
                {"{\"max_rate\":\"10000/10s\"}", 0, 7, 10000, 10000},
                {"{\"max_rate\":\"100/100ms\"}", 0, 7, 100, 100},
                {"{\"max_rate\":\"1/1d\"}", 0, 7, 1, MSEC_DAY},
                {"{\"max_rate\":\"1001/1s\"}", 422, 0, 0, 0},
                {"{\"max_rate\":\"10001/1d\"}", 422, 0, 0, 0},
                {"{\"max_rate\":\"1/99ms\"}", 422, 0, 0, 0},
                {"{\"max_rate\":\"1/2d\"}", 422, 0, 0, 0},
                {"{\"max_rate\":\"0/1s\"}", 422, 0, 0, 0},
                {"{\"max_rate\":10}", 422, 0, 0, 0},
                {"{\"max_running\":0}", 422, 0, 0, 0},
                {"{\"name\":\"t\"}", 422, 0, 0, 0},
                {"nonsense", 400, 0, 0, 0},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct type t = {.record = {.max_running = 7, .rate_count = RECORD_UNLIMITED}};
                struct scan_fault fault = {0};
                int got = type_body_read(bytes_of_text(table[i].body), &t, &fault);
                if (got != table[i].want)
                        fail_msg("%s: %d, not %d", table[i].body, got, table[i].want);
                if (got != 0)
                        continue;
                assert_int_equal(t.record.max_running, table[i].running);
                assert_int_equal(t.record.rate_count, table[i].count);
                assert_int_equal(t.record.rate_per, table[i].per);
        }
}

static void key_bodies_are_judged(void **state)
{
        static const struct {
                const char *body;
                int want;
                unsigned scopes;
        } table[] = {
                {"", 0, SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE},
                {"{}", 0, SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE},
                {"{\"scopes\":[\"read\"],\"expires\":\"2999-01-01T00:00:00Z\"}", 0, SCOPE_READ},
                {"{\"scopes\":null,\"expires\":null}", 0,
                 SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE},
                {"{\"name\":\"of the shop\"}", 0, SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE},
                {"{\"name\":null}", 0, SCOPE_SUBMIT | SCOPE_READ | SCOPE_OPERATE},
                {"{\"name\":\"\"}", 422, 0},
                {"{\"name\":\"two\\nlines\"}", 422, 0},
                {"{\"name\":5}", 422, 0},
                {"{\"secret\":null}", 422, 0},
                {"{\"scopes\":[]}", 422, 0},
                {"{\"scopes\":[\"admin\"]}", 422, 0},
                {"{\"scopes\":\"read\"}", 422, 0},
                {"{\"expires\":\"2001-01-01T00:00:00Z\"}", 422, 0},
                {"{\"expires\":\"soon\"}", 422, 0},
                {"{\"secret\":\"mine\"}", 422, 0},
                {"nonsense", 400, 0},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct scan_fault fault;
                struct key k;
                int got = key_body_read(bytes_of_text(table[i].body), &k, &fault);
                assert_int_equal(got, table[i].want);
                if (got == 0)
                        assert_int_equal(k.record.scopes, table[i].scopes);
        }
}

static void rotations_are_judged(void **state)
{
        static const struct {
                const char *body;
                int want;
                msec overlap;
        } table[] = {
                {"", 0, KEY_OVERLAP},
                {"{}", 0, KEY_OVERLAP},
                {"{\"overlap\":null,\"expires\":null}", 0, KEY_OVERLAP},
                {"{\"overlap\":\"0\"}", 0, 0},
                {"{\"overlap\":0}", 0, 0},
                {"{\"overlap\":90}", 0, 90 * MSEC_SECOND},
                {"{\"overlap\":\"1h30m\"}", 0, 90 * MSEC_MINUTE},
                {"{\"overlap\":\"365d\"}", 0, (msec)365 * MSEC_DAY},
                {"{\"overlap\":\"366d\"}", 422, 0},
                {"{\"overlap\":-1}", 422, 0},
                {"{\"overlap\":true}", 422, 0},
                {"{\"expires\":\"2001-01-01T00:00:00Z\"}", 422, 0},
                {"{\"scopes\":[\"read\"]}", 422, 0},
                {"[", 400, 0},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct scan_fault fault;
                struct key_rotation rotation;
                int got = key_rotation_read(bytes_of_text(table[i].body), &rotation, &fault);
                assert_int_equal(got, table[i].want);
                if (got == 0)
                        assert_int_equal(rotation.overlap, table[i].overlap);
        }
}

static void uses_are_read(void **state)
{
        static const char body[] = "{\"used\":[{\"id\":\"k1x2y3z4\",\"at\":5,"
                                   "\"from\":\"10.0.0.7\",\"later\":1},"
                                   "{\"id\":\"abcdefgh\",\"at\":6}]}";
        static const char *const refused[] = {"{}", "{\"used\":5}", "{\"used\":[{\"id\":\"a\"}]}",
                                              "{\"used\":[{\"id\":\"k1x2y3z4_\",\"at\":5}]}"};
        struct key_use *uses = NULL;
        size_t count = 0;
        struct scan_fault fault;
        (void)state;
        assert_int_equal(key_uses_read(bytes_of_text(body), 0, &uses, &count, &fault), 0);
        assert_int_equal(count, 2);
        assert_string_equal(uses[0].id, "k1x2y3z4");
        assert_string_equal(uses[0].from, "10.0.0.7");
        assert_int_equal(uses[1].at, 6);
        assert_string_equal(uses[1].from, "");
        free(uses);
        for (size_t i = 0; i < COUNT(refused); i++) {
                assert_int_equal(key_uses_read(bytes_of_text(refused[i]), 0, &uses, &count, &fault),
                                 422);
                free(uses);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bodies_are_judged),
                cmocka_unit_test(what_a_body_says_is_kept),
                cmocka_unit_test(type_bodies_are_judged),
                cmocka_unit_test(key_bodies_are_judged),
                cmocka_unit_test(rotations_are_judged),
                cmocka_unit_test(uses_are_read),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
