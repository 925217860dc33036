/* SPDX-License-Identifier: Apache-2.0
 *
 * token_copies_test.c: whichever consumers see the copies of a token, all but one are removed.
 */
#include "consumer/token_copies.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

enum { CONSUMERS = 3, COPIES = 4, TURNS = 2000 };

static struct token_round token(int64_t number, int64_t round)
{
        return (struct token_round){.number = number, .round = round};
}

static void spend(struct token_copies *c, int64_t number, int64_t round)
{
        const struct token_round r = token(number, round);

        token_copies_spent(c, &r);
}

static bool is_copy(const struct token_copies *c, int64_t number, int64_t round)
{
        const struct token_round r = token(number, round);

        return token_copies_is_copy(c, &r);
}

static void what_was_spent_in_its_round_is_a_copy(void **state)
{
        struct token_copies c = {0};

        (void)state;
        assert_false(is_copy(&c, 0, 0));
        token_copies_use(&c, 10);
        assert_false(is_copy(&c, 3, 0));
        spend(&c, 3, 5);
        assert_false(is_copy(&c, 3, 6));
        assert_true(is_copy(&c, 3, 5));
        assert_true(is_copy(&c, 3, 2));
        assert_false(is_copy(&c, 4, 2));
        spend(&c, 3, 2);
        assert_true(is_copy(&c, 3, 5));
        token_copies_forget(&c);
        assert_false(is_copy(&c, 3, 5));
        spend(&c, 3, 5);
        token_copies_use(&c, 10);
        assert_false(is_copy(&c, 3, 5));
        token_copies_use(&c, 0);
}

static void one_without_a_known_number_is_none(void **state)
{
        struct token_copies c = {0};

        (void)state;
        token_copies_use(&c, 10);
        spend(&c, -1, 0);
        spend(&c, 10, 0);
        assert_false(is_copy(&c, -1, 0));
        assert_false(is_copy(&c, 10, 0));
        token_copies_use(&c, 0);
}

static void exactly_one_of_the_copies_stays(void **state)
{
        (void)state;
        for (unsigned seed = 1; seed <= 200; seed++) {
                struct token_copies consumers[CONSUMERS] = {0};
                int64_t rounds[COPIES] = {0}; /* of the token's copies; -1: removed */
                unsigned left = COPIES;

                srand(seed);
                for (size_t i = 0; i < CONSUMERS; i++)
                        token_copies_use(&consumers[i], 1);
                for (unsigned turn = 0; turn < TURNS; turn++) {
                        int64_t *round = &rounds[(unsigned)rand() % COPIES];
                        struct token_copies *c = &consumers[(unsigned)rand() % CONSUMERS];
                        if (*round < 0)
                                continue;
                        if (is_copy(c, 0, *round)) {
                                *round = -1;
                                left--;
                                continue;
                        }
                        spend(c, 0, (*round)++);
                }
                assert_int_equal(left, 1);
                for (size_t i = 0; i < CONSUMERS; i++)
                        token_copies_use(&consumers[i], 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_spent_in_its_round_is_a_copy),
                cmocka_unit_test(one_without_a_known_number_is_none),
                cmocka_unit_test(exactly_one_of_the_copies_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
