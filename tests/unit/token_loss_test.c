/* SPDX-License-Identifier: Apache-2.0
 *
 * token_loss_test.c: when the doctor says that a limit has lost tokens.
 */
#include "tests/unit/unit.h"

#include "common/doctor/token_loss.h"

static void test_loss(void **state)
{
        static const struct {
                const char *what;
                int64_t tokens;
                int64_t messages; /* of its queue; -2: there is no queue */
                enum token_loss want;
        } table[] = {
                {"all of them", 5, 5, TOKENS_COMPLETE},  {"more", 5, 6, TOKENS_COMPLETE},
                {"no queue", 5, -2, TOKENS_NO_QUEUE},    {"none", 5, 0, TOKENS_FEWER},
                {"not counted", 5, -1, TOKENS_COMPLETE}, {"some", 5, 4, TOKENS_FEWER},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                int64_t messages = table[i].messages;
                enum token_loss got =
                        token_loss_of(table[i].tokens, messages == -2 ? NULL : &messages);
                if (got != table[i].want)
                        fail_msg("%s: %d", table[i].what, got);
        }
        assert_true(token_loss_patience(TOKENS_NO_QUEUE) < token_loss_patience(TOKENS_FEWER));
}

static void test_queues_of_a_rate(void **state)
{
        int64_t ready = 2, cooling = 8, sum;

        (void)state;
        assert_int_equal(*token_counts_join(&ready, &cooling, &sum), 10);
        cooling = -1;
        assert_int_equal(*token_counts_join(&ready, &cooling, &sum), -1);
        assert_null(token_counts_join(&ready, NULL, &sum));
        assert_null(token_counts_join(NULL, &cooling, &sum));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_loss),
                cmocka_unit_test(test_queues_of_a_rate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
