/* SPDX-License-Identifier: Apache-2.0
 *
 * cli_tokens_test.c: when the doctor says that a limit has lost tokens.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "ui/cli/token_loss.h"

static void test_loss(void **state)
{
        static const struct {
                const char *what;
                struct token_limit limit;
                int64_t messages; /* of its queue; -2: there is no queue */
                enum token_loss want;
        } table[] = {
                {"all of them", {5, 9, 5}, 5, TOKENS_COMPLETE},
                {"no queue", {5, 0, 0}, -2, TOKENS_NO_QUEUE},
                {"none, and jobs wait", {5, 1, 0}, 0, TOKENS_GONE},
                {"none counted, but jobs run", {5, 1, 2}, 0, TOKENS_COMPLETE},
                {"none counted, and no jobs", {5, 0, 0}, 0, TOKENS_COMPLETE},
                {"none counted, jobs unknown", {5, -1, -1}, 0, TOKENS_COMPLETE},
                {"not counted", {5, 9, 0}, -1, TOKENS_COMPLETE},
                {"some", {5, 0, 0}, 4, TOKENS_FEWER},
                {"some of a rate", {0, 9, 0}, 1, TOKENS_COMPLETE},
                {"none of a rate", {0, 9, 0}, 0, TOKENS_GONE},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct token_queue queue = {3, table[i].messages};
                enum token_loss got =
                        token_loss_of(&table[i].limit, queue.messages == -2 ? NULL : &queue);
                if (got != table[i].want)
                        fail_msg("%s: %d", table[i].what, got);
        }
        assert_true(token_loss_patience(TOKENS_NO_QUEUE) < token_loss_patience(TOKENS_GONE));
        assert_true(token_loss_patience(TOKENS_FEWER) == token_loss_patience(TOKENS_GONE));
}

static void test_queues_of_a_rate(void **state)
{
        struct token_queue ready = {3, 2}, cooling = {3, 8}, sum;

        (void)state;
        assert_int_equal(token_queues_join(&ready, &cooling, &sum)->messages, 10);
        cooling.messages = -1;
        assert_int_equal(token_queues_join(&ready, &cooling, &sum)->messages, -1);
        cooling.version = 2;
        assert_null(token_queues_join(&ready, &cooling, &sum));
        assert_null(token_queues_join(&ready, NULL, &sum));
        assert_null(token_queues_join(NULL, &cooling, &sum));
}

static void test_names(void **state)
{
        static const struct {
                const char *name, *base; /* NULL: no version */
                int64_t version;
        } table[] = {
                {"slots.acme.3", "slots.acme", 3},
                {"slots-type.send.e-mail.12", "slots-type.send.e-mail", 12},
                {"rates-type.7.0", "rates-type.7", 0},
                {"delay.1s", NULL, 0},
                {"jobs.acme.high", NULL, 0},
                {"slots.acme.", NULL, 0},
                {"slots.acme.1234567890123456789", NULL, 0},
                {"events", NULL, 0},
                {"", NULL, 0},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                char name[64];
                int64_t version = -1;

                strcpy(name, table[i].name);
                assert_int_equal(token_queue_split(name, &version), table[i].base != NULL);
                assert_string_equal(name, table[i].base == NULL ? table[i].name : table[i].base);
                if (table[i].base != NULL)
                        assert_int_equal(version, table[i].version);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_loss),
                cmocka_unit_test(test_queues_of_a_rate),
                cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
