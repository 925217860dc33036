/* SPDX-License-Identifier: Apache-2.0
 *
 * status_shelves_test.c: what version 9 of status.db makes of the rows of version 8.
 */
#include "tests/unit/status_rig.h"

#include "tests/unit/stored_db.h"

#define ID(n) "019ab697-e800-7000-8000-0000000000" n

static void open_stored(struct rig *r)
{
        struct err e = {0};
        *r = (struct rig){.offset = 100};
        place_open(&r->place);
        stored_db_make(r->place.path, "status-8-hints");
        r->store = store_create(r->place.path, &e);
        if (r->store == NULL)
                fail_msg("%s", e.text);
        r->projection = projection_create(r->store, JOB_PAYLOAD_MAX_DEFAULT, &e);
        assert_non_null(r->projection);
}

/* The file has rows without a submission, whose hints say less and less, and two tenants. */
static void version_8_gets_shelves_sums_and_finds(void **state)
{
        static const char sums_differ[] =
                "SELECT count(*) FROM (SELECT minute, sum(submitted) s, sum(completed) c"
                " FROM minutes WHERE tenant > 0 GROUP BY minute) a FULL JOIN minutes m"
                " USING(minute) WHERE m.tenant = 0 AND (s, c) IS NOT (m.submitted, m.completed)";
        struct rig r;
        (void)state;
        open_stored(&r);
        AUTO_FREE char *shelves = stored_db_lines(
                r.place.path, "SELECT substr(hex(id), 31) || ' ' || state || ' ' || (shelf / 8) ||"
                              " ' ' || (shelf % 8) FROM jobs ORDER BY id");
        assert_string_equal(shelves, "11 4 4 2\n" /* its submission says high */
                                     "12 2 2 0\n"
                                     "13 2 2 3\n"
                                     "14 2 2 4\n" /* its start says no priority */
                                     "15 2 2 4\n" /* its start says nothing */
                                     "16 7 7 1\n"
                                     "21 4 4 0\n"
                                     "22 1 1 1\n");
        AUTO_FREE char *counts = stored_db_lines(
                r.place.path, "SELECT tenant || ' ' || sum(n) FROM counts GROUP BY tenant");
        assert_string_equal(counts, "0 8\n1 6\n4 2\n");
        assert_int_equal(rig_number(&r, sums_differ), 0);
        AUTO_FREE char *times = stored_db_lines(
                r.place.path, "SELECT hex(latency) || ' ' || hex(wait) || ' ' || hex(duration)"
                              " FROM minutes WHERE tenant = 0");
        assert_string_equal(times, "1C010000004B01000000 0A0100000012030000002C01000000"
                                   " 1A02000000\n");
        assert_int_equal(rig_number(&r, "SELECT submitted FROM counters WHERE tenant = 0"),
                         rig_number(&r, "SELECT sum(submitted) FROM counters WHERE tenant > 0"));
        assert_int_equal(rig_number(&r, "SELECT count(trace) FROM finds"), 4);
        assert_int_equal(rig_number(&r, "SELECT count(key) FROM finds"), 1);
        rig_close(&r);
}

/* As a row is written, it is on the shelf where the step puts it. */
static void a_shelf_is_the_same_when_the_row_is_written(void **state)
{
        struct rig r;
        (void)state;
        open_stored(&r);
        AUTO_FREE char *before = stored_db_lines(
                r.place.path, "SELECT hex(id) || ' ' || (shelf % 8) FROM jobs ORDER BY id");
        for (size_t i = 0; i < 4; i++) {
                static const char *const running[] = {ID("12"), ID("13"), ID("14"), ID("15")};
                struct job j = rig_job(running[i], 0);
                rig_tell(&r, &j, EVENT_PROGRESS, 1, clock_wall());
        }
        rig_commit(&r);
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM jobs"), 8);
        AUTO_FREE char *after = stored_db_lines(
                r.place.path, "SELECT hex(id) || ' ' || (shelf % 8) FROM jobs ORDER BY id");
        assert_string_equal(after, before);
        assert_int_equal(rig_number(&r, "SELECT count(*) FROM counts WHERE n < 0"), 0);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(version_8_gets_shelves_sums_and_finds),
                cmocka_unit_test(a_shelf_is_the_same_when_the_row_is_written),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
