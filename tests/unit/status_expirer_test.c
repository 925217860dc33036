/* SPDX-License-Identifier: Apache-2.0
 *
 * status_expirer_test.c: expired jobs are found, by an index that holds only jobs that may expire.
 */
#include "tests/unit/status_rig.h"

#include <sqlite3.h>

#include "common/db/readers.h"
#include "status-store/expirer.h"

/* A job of an hour ago. expires_at 0: it does not expire. */
static void submit(struct rig *r, msec now, msec expires_at)
{
        char id[UUID_SIZE];
        struct job_message m;
        uuid7(id);
        struct job j = rig_job(id, now - MSEC_HOUR);
        j.expires_at = expires_at;
        job_encode(&j, STATION_SUBMISSION, j.submitted_at, &m);
        rig_fold(r, &m);
}

static sqlite3_stmt *search_of(sqlite3 *db)
{
        sqlite3_stmt *s = sqlite3_next_stmt(db, NULL);
        while (s != NULL && strstr(sqlite3_sql(s), "j.expires <= ?1") == NULL)
                s = sqlite3_next_stmt(db, s);
        return s;
}

/* A condition that differs from the index's would make it a scan of all jobs, each second. */
static void assert_search_by_index(sqlite3 *db)
{
        sqlite3_stmt *search = search_of(db), *plan = NULL;
        AUTO_BUFFER steps = {0};
        assert_non_null(search);
        AUTO_FREE char *sql = xasprintf("EXPLAIN QUERY PLAN %s", sqlite3_sql(search));
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK);
        while (sqlite3_step(plan) == SQLITE_ROW)
                buffer_printf(&steps, "%s;", (const char *)sqlite3_column_text(plan, 3));
        sqlite3_finalize(plan);
        if (strstr(steps.data, "SEARCH j USING INDEX jobs_expires") != steps.data ||
            strstr(steps.data, "TEMP B-TREE") != NULL)
                fail_msg("%s", steps.data);
}

static void find(struct readers *readers, msec as_of, struct sweep_found *found)
{
        struct err e = {0};
        AUTO_READER *reader = readers_take(readers, &e);
        assert_non_null(reader);
        assert_int_equal(expirer.find(reader, as_of, found, &e), 0);
        assert_search_by_index(database_handle(reader_database(reader)));
}

static void expired_jobs_are_found_by_the_index(void **state)
{
        struct rig r;
        struct err e = {0};
        struct sweep_found found = {.count = 0};
        msec now = clock_wall();
        (void)state;
        rig_open(&r);
        submit(&r, now, now - MSEC_MINUTE);
        submit(&r, now, now + MSEC_MINUTE);
        submit(&r, now, 0);
        rig_commit(&r);
        AUTO(readers) readers = readers_create(r.place.path, 1, &e);
        assert_non_null(readers);
        find(readers, now, &found);
        assert_int_equal(found.count, 1);
        find(readers, now + MSEC_HOUR, &found);
        assert_int_equal(found.count, 3);
        buffer_fini(&found.lines);
        readers_destroy(&readers);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(expired_jobs_are_found_by_the_index),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
