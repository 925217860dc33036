/* SPDX-License-Identifier: Apache-2.0
 *
 * status_search_test.c: a page that searches for a text ends after two seconds, or 128 MiB, and the
 * next page goes on behind it.
 */
#include "tests/unit/list_rig.h"

static msec now, step; /* what the clock says, and how far it goes on whenever it is asked */

msec __wrap_clock_mono(void);
msec __wrap_clock_mono(void)
{
        return now += step;
}

struct fixture {
        struct rig rig;
        struct readers *readers;
        struct list_query query;
};

static void fixture_open(struct fixture *f, int jobs)
{
        struct err e = {0};

        *f = (struct fixture){.query = {.filter = {.tenant = "*", .text = "nothing"},
                                        .after = cursor_start(true),
                                        .limit = LIST_LIMIT_MAX}};
        rig_open(&f->rig);
        for (int i = 0; i < jobs; i++) {
                struct job j = job_of(0, BORN * (msec)1000 + i);
                rig_submit(&f->rig, &j);
        }
        rig_commit(&f->rig);
        f->readers = readers_create(f->rig.place.path, 1, &e);
        assert_non_null(f->readers);
}

static void fixture_close(struct fixture *f)
{
        readers_destroy(&f->readers);
        rig_close(&f->rig);
}

/* Looks at so many jobs, in the next page. */
static void check_page(struct fixture *f, int want_jobs, bool want_complete)
{
        json_t *page = page_of(&f->query, f->readers);
        const json_t *search = json_object_get(page, "search");
        const char *cursor = json_string_value(json_object_get(page, "next_cursor"));

        assert_int_equal(json_integer_value(json_object_get(search, "jobs")), want_jobs);
        assert_int_equal(json_is_true(json_object_get(search, "complete")), want_complete);
        assert_int_equal(cursor == NULL, want_complete);
        if (cursor != NULL)
                assert_true(cursor_read(cursor, &f->query.after));
        json_decref(page);
}

static void a_page_ends_in_time(void **state)
{
        struct fixture f;

        (void)state;
        fixture_open(&f, 5);
        step = 1000;
        check_page(&f, 2, false);
        check_page(&f, 2, false);
        check_page(&f, 1, true);
        f.query.after = cursor_start(true);
        step = 2000; /* one job is always looked at */
        check_page(&f, 1, false);
        step = 399;
        check_page(&f, 4, true);
        fixture_close(&f);
}

/* Without a text there is no search. */
static void a_list_takes_its_time(void **state)
{
        struct fixture f;

        (void)state;
        fixture_open(&f, 5);
        step = 10000;
        f.query.filter.text = NULL;
        json_t *page = page_of(&f.query, f.readers);
        assert_int_equal(json_array_size(json_object_get(page, "jobs")), 5);
        json_decref(page);
        fixture_close(&f);
}

/* All jobs have one stored payload of 1 MiB, so that the file stays small. */
static void a_page_ends_after_some_bytes(void **state)
{
        struct fixture f;

        (void)state;
        fixture_open(&f, 130);
        step = 0;
        rig_number(&f.rig, "UPDATE bodies SET payload = zeroblob(1048576) WHERE place ="
                           " (SELECT min(place) FROM bodies) RETURNING 1");
        rig_number(&f.rig, "UPDATE jobs SET first = (SELECT min(place) FROM bodies) RETURNING 1");
        check_page(&f, 128, false);
        check_page(&f, 2, true);
        fixture_close(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_page_ends_in_time),
                cmocka_unit_test(a_list_takes_its_time),
                cmocka_unit_test(a_page_ends_after_some_bytes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
