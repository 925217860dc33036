/* SPDX-License-Identifier: Apache-2.0
 *
 * job_names_test.c: which names and traceparents a job may have.
 */
#include "common/model/job.h"
#include "tests/unit/unit.h"

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void names_are_checked(void **state)
{
        static const struct {
                const char *text;
                bool want_tenant, want_type;
        } rows[] = {
                {"acme", true, true},
                {"a", true, true},
                {"0-a", true, true},
                {"", false, false},
                {"-a", false, false},
                {".a", false, false},
                {"a_b", false, true},
                {"a.b", false, true},
                {"A", false, false},
                {"a b", false, false},
                {"a\xc3\xa9", false, false},
                {"warren", false, true},
                {"warrenx", false, true},
                {"xwarren", true, true},
                {"abcdefghijklmnopqrstuvwxyz012345", true, true},
                {"abcdefghijklmnopqrstuvwxyz0123456", false, true},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct bytes text = bytes_of_text(rows[i].text);
                assert_int_equal(tenant_name_is_valid(text), rows[i].want_tenant);
                assert_int_equal(job_type_is_valid(text), rows[i].want_type);
        }
        assert_false(job_type_is_valid(bytes_of("a\0b", 3)));
        assert_false(tenant_name_is_valid((struct bytes){NULL, 0}));
}

static void traceparents_are_checked(void **state)
{
        static const struct {
                const char *text;
                bool want;
        } rows[] = {
                {TRACE, true},
                {"", false},
                {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
                {"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
                {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
                {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
                {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false},
                {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x", false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                assert_int_equal(traceparent_is_valid(bytes_of_text(rows[i].text)), rows[i].want);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_checked),
                cmocka_unit_test(traceparents_are_checked),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
