/* SPDX-License-Identifier: Apache-2.0
 *
 * seen_test.c: which consumers have read the marks.
 */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>

#include "common/base/own.h"
#include "status-store/acts/seen.h"

static size_t ask(struct seen *s, const char *const *workers, size_t count, int64_t mark,
                  const char *behind[SEEN_BEHIND_MAX])
{
        return seen_await(s, workers, count, mark, clock_mono() + 20, behind);
}

static void those_that_have_not_read_it_are_named(void **state)
{
        static const char *const workers[] = {"a/1", "b/2", "c/3"};
        const char *behind[SEEN_BEHIND_MAX];
        (void)state;
        AUTO(seen) s = seen_create();
        assert_int_equal(ask(s, workers, 0, 7, behind), 0);
        seen_note(s, bytes_of_text("a/1"), 7);
        seen_note(s, bytes_of_text("b/2"), 6);
        assert_int_equal(ask(s, workers, 3, 7, behind), 2);
        assert_string_equal(behind[0], "b/2");
        assert_string_equal(behind[1], "c/3");
        seen_note(s, bytes_of_text("b/2"), 9);
        seen_note(s, bytes_of_text("b/2"), 3); /* told late */
        seen_note(s, bytes_of_text("c/3"), 7);
        assert_int_equal(ask(s, workers, 3, 7, behind), 0);
}

static void more_than_are_named_are_counted(void **state)
{
        enum { MANY = SEEN_BEHIND_MAX + 5 };
        char names[MANY][16];
        const char *workers[MANY];
        const char *behind[SEEN_BEHIND_MAX];
        (void)state;
        AUTO(seen) s = seen_create();
        for (int i = 0; i < MANY; i++) {
                snprintf(names[i], sizeof(names[i]), "w/%d", i);
                workers[i] = names[i];
        }
        assert_int_equal(ask(s, workers, MANY, 1, behind), MANY);
        assert_ptr_equal(behind[SEEN_BEHIND_MAX - 1], workers[SEEN_BEHIND_MAX - 1]);
}

static void the_one_that_told_least_recently_is_dropped(void **state)
{
        static const char *const first[] = {"w/0"}, *const second[] = {"w/1"};
        const char *behind[SEEN_BEHIND_MAX];
        char name[16];
        (void)state;
        AUTO(seen) s = seen_create();
        for (int i = 0; i < SEEN_WORKERS_MAX; i++) {
                snprintf(name, sizeof(name), "w/%d", i);
                seen_note(s, bytes_of_text(name), 5);
        }
        seen_note(s, bytes_of_text("w/0"), 5);
        seen_note(s, bytes_of_text("another"), 5);
        assert_int_equal(ask(s, first, 1, 5, behind), 0);
        assert_int_equal(ask(s, second, 1, 5, behind), 1);
}

static void *tell(void *owner)
{
        seen_note(owner, bytes_of_text("a/1"), 3);
        return NULL;
}

static void a_wait_ends_when_it_is_told(void **state)
{
        static const char *const workers[] = {"a/1"};
        const char *behind[SEEN_BEHIND_MAX];
        pthread_t thread;
        (void)state;
        AUTO(seen) s = seen_create();
        assert_int_equal(pthread_create(&thread, NULL, tell, s), 0);
        assert_int_equal(seen_await(s, workers, 1, 3, clock_mono() + MSEC_MINUTE, behind), 0);
        pthread_join(thread, NULL);
}

static void closing_ends_waits(void **state)
{
        static const char *const workers[] = {"a/1"};
        const char *behind[SEEN_BEHIND_MAX];
        (void)state;
        AUTO(seen) s = seen_create();
        seen_close(s);
        assert_int_equal(seen_await(s, workers, 1, 3, clock_mono() + MSEC_MINUTE, behind), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(those_that_have_not_read_it_are_named),
                cmocka_unit_test(more_than_are_named_are_counted),
                cmocka_unit_test(the_one_that_told_least_recently_is_dropped),
                cmocka_unit_test(a_wait_ends_when_it_is_told),
                cmocka_unit_test(closing_ends_waits),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
