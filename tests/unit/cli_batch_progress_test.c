/* SPDX-License-Identifier: Apache-2.0
 *
 * cli_batch_progress_test.c: the bar of `warren submit --batch`.
 */
#include "tests/unit/unit.h"

#include "common/base/own.h"
#include "ui/cli/batch_progress.h"

static void test_bar(void **state)
{
        static const struct {
                struct batch_counts counts;
                msec elapsed;
                const char *wait;
                unsigned width;
                const char *want;
        } table[] = {
                {{.accepted = 30, .refused = 2, .answered = 20, .read = 50, .size = 100},
                 2000,
                 NULL,
                 0,
                 " 50 %  30 accepted, 2 refused  10 jobs/s"},
                {{.accepted = 30, .answered = 20, .read = 50, .size = 100},
                 2000,
                 NULL,
                 56,
                 "[======      ]  50 %  30 accepted, 0 refused  10 jobs/s"},
                {{.accepted = 30, .answered = 20, .read = 50, .size = 100},
                 2000,
                 NULL,
                 40,
                 " 50 %  30 accepted, 0 refused  10 jobs/s"},
                {{.accepted = 30, .answered = 20, .begun = 20, .read = 50, .size = 100},
                 60000,
                 NULL,
                 0,
                 " 50 %  30 accepted, 0 refused  1m40s left  0 jobs/s"},
                {{.accepted = 30}, 2000, NULL, 80, "30 accepted, 0 refused  0 jobs/s"},
                {{.read = 200, .size = 100},
                 0,
                 "again in 2 s: a\nb",
                 0,
                 "100 %  0 accepted, 0 refused  again in 2 s: a b"},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                AUTO_BUFFER out = {0};
                batch_progress_render(&table[i].counts, table[i].elapsed, table[i].wait,
                                      table[i].width, &out);
                assert_string_equal(out.data, table[i].want);
                assert_true(table[i].width == 0 || out.length < table[i].width + 1);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bar),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
