/* SPDX-License-Identifier: Apache-2.0
 *
 * window_test.c: how many deliveries of a queue are held, and how seldom that number changes.
 */
#include "consumer/window.h"
#include "tests/unit/unit.h"

static void follows_the_work(void **state)
{
        static const struct {
                unsigned concurrency;
                int64_t us; /* duration of each attempt */
                unsigned want;
        } rows[] = {
                {8, 0, 256},        {8, 500, 256},   {8, 100000, 16},
                {8, 200000, 12},    {8, 1000000, 8}, {8, 3600000000, 8},
                {1, 3600000000, 1}, {1, 100000, 2},  {1024, 3600000000, 256},
        };

        (void)state;
        for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
                struct window w;
                window_init(&w, rows[r].concurrency, 0);
                for (int i = 0; i < 100; i++)
                        window_note(&w, rows[r].us);
                assert_int_equal(window_wanted(&w, rows[r].concurrency), rows[r].want);
        }
}

static void starts_with_something(void **state)
{
        struct window w;

        (void)state;
        window_init(&w, 1, 0);
        assert_int_in_range(w.size, 1, WINDOW_MAX);
        window_init(&w, 1024, 0);
        assert_int_equal(w.size, WINDOW_MAX);
}

static void note_many(struct window *w, int64_t us)
{
        for (int i = 0; i < 200; i++)
                window_note(w, us);
}

static void changes_seldom(void **state)
{
        struct window w;

        (void)state;
        window_init(&w, 8, 0);
        assert_false(window_adjust(&w, 8, 60000)); /* no duration is known yet */
        note_many(&w, 50);
        assert_false(window_adjust(&w, 8, WINDOW_GROW_AFTER - 1));
        assert_true(window_adjust(&w, 8, WINDOW_GROW_AFTER));
        assert_int_equal(w.size, WINDOW_MAX);
        assert_false(window_adjust(&w, 8, 60000)); /* the window already has the wanted size */

        note_many(&w, 5000); /* 168 wanted: not less than half of the size, so no change */
        assert_false(window_adjust(&w, 8, 120000));
        note_many(&w, 50000); /* 24 wanted */
        assert_false(window_adjust(&w, 8, WINDOW_GROW_AFTER + WINDOW_SHRINK_AFTER - 1));
        assert_true(window_adjust(&w, 8, WINDOW_GROW_AFTER + WINDOW_SHRINK_AFTER));
        assert_int_equal(w.size, 24);
}

static void collapses_when_nothing_ends(void **state)
{
        struct window w;

        (void)state;
        window_init(&w, 8, 0);
        note_many(&w, 50);
        assert_true(window_adjust(&w, 8, 1000));
        window_collapse(&w, 8, 5000000, 2000);
        assert_int_equal(w.size, 8);
        assert_int_equal(window_wanted(&w, 8), 8);
        note_many(&w, 50); /* it grows again when attempts end */
        assert_true(window_adjust(&w, 8, 2000 + WINDOW_GROW_AFTER));
        assert_int_equal(w.size, WINDOW_MAX);
}

static void what_waits_for_its_type_takes_no_place_of_others(void **state)
{
        static const struct {
                unsigned limited;
                msec after; /* time since the row before */
                bool want;
                unsigned spare;
        } rows[] = {
                {0, 0, false, 0},      {1, 0, true, 8},
                {8, 250, false, 8},    {9, 250, true, 16},
                {5000, 1, true, 2048}, {10, WINDOW_SHRINK_AFTER - 1, false, 2048},
                {10, 1, true, 16},     {0, WINDOW_SHRINK_AFTER, true, 0},
        };
        struct window w;
        msec now = 0;

        (void)state;
        window_init(&w, 8, 0);
        for (size_t r = 0; r < COUNT(rows); r++) {
                now += rows[r].after;
                assert_int_equal(window_spare(&w, rows[r].limited, now), rows[r].want);
                assert_int_equal(window_prefetch(&w), 16 + rows[r].spare);
        }
}

static void what_is_held_until_due_follows_the_duration(void **state)
{
        static const struct {
                double mean_us;
                unsigned want;
        } rows[] = {{1e6, 12}, {10e6, 8}, {1e5, 48}, {10, WINDOW_SPARE_MAX}};
        struct window w;

        (void)state;
        window_init(&w, 8, 0);
        assert_int_equal(window_hold_most(&w, 8), 8); /* no duration is known */
        for (size_t i = 0; i < COUNT(rows); i++) {
                w.samples = 1;
                w.mean_us = rows[i].mean_us;
                assert_int_equal(window_hold_most(&w, 8), rows[i].want);
                assert_int_equal(window_due_spare(&w, 8, rows[i].want - 1), rows[i].want - 1);
                assert_int_equal(window_due_spare(&w, 8, 5000), rows[i].want);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(follows_the_work),
                cmocka_unit_test(starts_with_something),
                cmocka_unit_test(changes_seldom),
                cmocka_unit_test(collapses_when_nothing_ends),
                cmocka_unit_test(what_waits_for_its_type_takes_no_place_of_others),
                cmocka_unit_test(what_is_held_until_due_follows_the_duration),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
