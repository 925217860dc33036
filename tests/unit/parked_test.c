/* SPDX-License-Identifier: Apache-2.0
 *
 * parked_test.c: the names of pauses and of their queues, made and read back.
 */
#include <stdio.h>
#include <string.h>

#include "common/model/parked.h"
#include "tests/unit/unit.h"

#define LONG_TENANT "a123456789012345678901234567890z"
#define LONG_TYPE "t123456789.123456789_123456789-123456789012345678901234567890123"

static void names_are_made_and_read_back(void **state)
{
        static const struct {
                const char *tenant, *type, *want_key, *want_queue;
        } rows[] = {
                {"", "send_email", "type:send_email", "parked.send_email"},
                {"", "a.b-c", "type:a.b-c", "parked.a.b-c"},
                {"acme", "send_email", "type:acme/send_email", "parked-tenant.acme.send_email"},
                {"a-1", "a.b", "type:a-1/a.b", "parked-tenant.a-1.a.b"},
                {"", LONG_TYPE, "type:" LONG_TYPE, "parked." LONG_TYPE},
                {LONG_TENANT, LONG_TYPE, "type:" LONG_TENANT "/" LONG_TYPE,
                 "parked-tenant." LONG_TENANT "." LONG_TYPE},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                char key[PAUSE_KEY_SIZE], queue[PARKED_QUEUE_SIZE], other[PARKED_QUEUE_SIZE];
                char tenant[TENANT_SIZE], type[JOB_TYPE_SIZE];
                enum pause want = rows[i].tenant[0] != '\0' ? PAUSE_TENANT_TYPE : PAUSE_TYPE;

                pause_key(rows[i].tenant, rows[i].type, key);
                assert_string_equal(key, rows[i].want_key);
                assert_true(pause_key_parse(bytes_of_text(key), tenant, type));
                assert_string_equal(tenant, rows[i].tenant);
                assert_string_equal(type, rows[i].type);

                parked_of(want, rows[i].tenant, rows[i].type, queue);
                assert_string_equal(queue, rows[i].want_queue);
                assert_true(parked_of_key(key, other));
                assert_string_equal(other, queue);
                memset(tenant, 'x', sizeof(tenant));
                assert_int_equal(parked_parse(bytes_of_text(queue), tenant, type), want);
                assert_string_equal(tenant, rows[i].tenant);
                assert_string_equal(type, rows[i].type);
        }
}

static void other_keys_are_none_of_a_pause(void **state)
{
        static const char *const rows[] = {"",
                                           "type:",
                                           "type",
                                           "send_email",
                                           "tenant:acme",
                                           "type:Send",
                                           "type:acme/",
                                           "type:/send_email",
                                           "type:acme/x/y",
                                           "type:warren-x/y",
                                           "type:acme/Send",
                                           "type:acme send"};
        char tenant[TENANT_SIZE], type[JOB_TYPE_SIZE], queue[PARKED_QUEUE_SIZE];

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                assert_false(pause_key_parse(bytes_of_text(rows[i]), tenant, type));
                assert_false(parked_of_key(rows[i], queue));
        }
}

static void other_queues_hold_nothing_parked(void **state)
{
        static const char *const rows[] = {"",
                                           "parked.",
                                           "parked",
                                           "parked.Send",
                                           "parked-tenant.",
                                           "parked-tenant.acme",
                                           "parked-tenant.acme.",
                                           "parked-tenant..send",
                                           "parked-type.a",
                                           "jobs.acme.high"};
        char tenant[TENANT_SIZE], type[JOB_TYPE_SIZE];

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++)
                assert_int_equal(parked_parse(bytes_of_text(rows[i]), tenant, type), PAUSE_NONE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_made_and_read_back),
                cmocka_unit_test(other_keys_are_none_of_a_pause),
                cmocka_unit_test(other_queues_hold_nothing_parked),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
