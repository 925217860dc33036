/* SPDX-License-Identifier: Apache-2.0
 *
 * status_minutes_test.c: the last hour of types; and minutes and totals that outlive the database.
 */
#include "tests/unit/status_rig.h"

#include <sys/stat.h>

#include "status-store/projection/minutes_kept.h"
#include "status-store/projection/tally.h"

/* A number that a query of the database answers with. */
static int64_t number(const struct rig *r, const char *sql)
{
        struct err e = {0};
        AUTO_DB *db = db_open(r->place.path, DB_READ_ONLY, &e);
        AUTO_STATEMENT *s = db_prepare(db, sql, &e);
        assert_int_equal(db_step(s, &e), 1);
        return sqlite3_column_int64(s, 0);
}

static void run_job(struct rig *r, const char *type, msec at)
{
        char id[UUID_SIZE];
        uuid7(id);
        struct job j = rig_job(id, at);
        snprintf(j.type, sizeof(j.type), "%s", type);
        rig_submit(r, &j);
        rig_tell(r, &j, EVENT_STARTED, 1, at);
        rig_tell(r, &j, EVENT_COMPLETED, 1, at);
}

static void types_are_counted_by_minute(void **state)
{
        struct rig r;
        msec now = clock_wall();
        (void)state;
        rig_open(&r);
        for (int i = 0; i < 3; i++) { /* the row is held from one batch to the next */
                run_job(&r, "a", now);
                run_job(&r, "a", now - 10 * MSEC_MINUTE);
                rig_commit(&r);
        }
        run_job(&r, "a", now - 61 * MSEC_MINUTE);
        run_job(&r, "b", now);
        projection_forget(r.projection);
        run_job(&r, "b", now);
        rig_commit(&r);
        assert_int_equal(number(&r, "SELECT count(*) FROM type_minutes WHERE tenant = 0"), 3);
        assert_int_equal(number(&r, "SELECT sum(completed) FROM type_minutes WHERE tenant = 0"), 7);
        assert_int_equal(number(&r, "SELECT sum(completed) FROM type_minutes WHERE tenant > 0"), 7);
        assert_int_equal(number(&r, "SELECT completed FROM type_minutes WHERE tenant = 0 AND"
                                    " type = (SELECT ref FROM names WHERE name = 'b')"),
                         1);
        assert_int_equal(number(&r, "SELECT length(duration) FROM type_minutes"), 5);
        rig_close(&r);
}

static void invented_types_share_a_row(void **state)
{
        struct rig r;
        msec now = clock_wall();
        (void)state;
        rig_open(&r);
        for (int i = 0; i < TYPE_PAIRS_MAX + 100; i++) {
                char type[JOB_TYPE_SIZE];
                snprintf(type, sizeof(type), "t%d", i);
                run_job(&r, type, now - 2 * MSEC_MINUTE);
                if (i % 500 == 0)
                        rig_commit(&r);
        }
        rig_commit(&r);
        assert_int_equal(number(&r, "SELECT count(*) FROM type_minutes WHERE tenant > 0"),
                         TYPE_PAIRS_MAX + 1);
        assert_int_equal(number(&r, "SELECT count(*) FROM type_minutes WHERE tenant = 0"),
                         TYPE_PAIRS_MAX + 1);
        assert_int_equal(number(&r, "SELECT completed FROM type_minutes WHERE tenant = 0 AND"
                                    " type = 0"),
                         100);
        rig_close(&r);
}

static struct minutes_kept *open_kept(struct rig *r)
{
        struct err e = {0};
        struct minutes_kept *k = minutes_kept_create(r->place.path, r->store, &e);
        if (k == NULL)
                fail_msg("%s", e.text);
        return k;
}

static void save(struct rig *r, struct minutes_kept *k)
{
        struct err e = {0};
        int64_t oldest = projection_take_oldest_minute(r->projection);
        if (minutes_kept_save(k, oldest, &e) != 0)
                fail_msg("%s", e.text);
}

static void remove_beside(const struct rig *r, const char *what)
{
        static const char *const suffixes[] = {"", "-wal", "-shm"};
        for (size_t i = 0; i < COUNT(suffixes); i++) {
                AUTO_FREE char *name = xasprintf("%s%s%s", r->place.path, what, suffixes[i]);
                unlink(name);
        }
}

/* A new database, filled from the copy; the stream begins at its first message again. */
static void lose_database(struct rig *r, struct minutes_kept **k)
{
        struct err e = {0};
        minutes_kept_destroy(k);
        projection_destroy(&r->projection);
        store_destroy(&r->store);
        remove_beside(r, "");
        r->store = store_create(r->place.path, &e);
        *k = open_kept(r);
        r->projection = projection_create(r->store, JOB_PAYLOAD_MAX_DEFAULT, &e);
        assert_non_null(r->projection);
        r->offset = 0;
}

static void close_kept(struct rig *r, struct minutes_kept **k)
{
        minutes_kept_destroy(k);
        remove_beside(r, ".minutes");
        rig_close(r);
}

#define COMPLETED "SELECT completed FROM counters WHERE tenant = 0"
#define OF_MINUTES "SELECT sum(completed) FROM minutes WHERE tenant > 0"

static void counts_outlive_the_database(void **state)
{
        struct rig r;
        msec now = clock_wall() - MSEC_MINUTE;
        (void)state;
        rig_open(&r);
        struct minutes_kept *k = open_kept(&r);
        save(&r, k); /* there is nothing yet */
        run_job(&r, "a", now - 600 * MSEC_MINUTE);
        run_job(&r, "a", now);
        rig_commit(&r);
        save(&r, k);
        run_job(&r, "a", now - 300 * MSEC_MINUTE); /* late: a minute that was saved before */
        rig_commit(&r);
        save(&r, k);
        lose_database(&r, &k);
        assert_int_equal(number(&r, COMPLETED), 3);
        assert_int_equal(number(&r, OF_MINUTES), 3);
        assert_int_equal(number(&r, "SELECT count(*) FROM names WHERE name = 'acme'"), 1);
        /* What the stream still holds is not counted again, and what is new is. */
        run_job(&r, "a", now);
        rig_commit(&r);
        assert_int_equal(number(&r, COMPLETED), 3);
        run_job(&r, "a", now + 1);
        rig_commit(&r);
        assert_int_equal(number(&r, COMPLETED), 4);
        assert_int_equal(number(&r, OF_MINUTES), 4);
        /* A second loss before the stream has passed the first save. */
        save(&r, k);
        lose_database(&r, &k);
        save(&r, k);
        lose_database(&r, &k);
        assert_int_equal(number(&r, COMPLETED), 4);
        close_kept(&r, &k);
}

static void what_follows_the_last_save_is_counted_again(void **state)
{
        struct rig r;
        msec now = clock_wall() - MSEC_MINUTE;
        (void)state;
        rig_open(&r);
        struct minutes_kept *k = open_kept(&r);
        run_job(&r, "a", now);
        rig_commit(&r);
        save(&r, k);
        run_job(&r, "a", now + 1);
        rig_commit(&r); /* and it is killed */
        lose_database(&r, &k);
        run_job(&r, "a", now);
        run_job(&r, "a", now + 1);
        rig_commit(&r);
        assert_int_equal(number(&r, COMPLETED), 2);
        close_kept(&r, &k);
}

static void a_database_that_is_there_stays(void **state)
{
        struct rig r;
        msec now = clock_wall() - MSEC_MINUTE;
        (void)state;
        rig_open(&r);
        struct minutes_kept *k = open_kept(&r);
        run_job(&r, "a", now);
        rig_commit(&r);
        save(&r, k);
        run_job(&r, "a", now + 1);
        rig_commit(&r);
        minutes_kept_destroy(&k);
        k = open_kept(&r);
        assert_int_equal(number(&r, COMPLETED), 2);
        save(&r, k); /* the first save after an end without one */
        lose_database(&r, &k);
        assert_int_equal(number(&r, COMPLETED), 2);
        assert_int_equal(number(&r, OF_MINUTES), 2);
        close_kept(&r, &k);
}

static void a_damaged_copy_is_put_aside(void **state)
{
        struct rig r;
        (void)state;
        rig_open(&r);
        AUTO_FREE char *path = xasprintf("%s.minutes", r.place.path);
        FILE *f = fopen(path, "w");
        for (int i = 0; i < 1000; i++)
                fputs("no database ", f);
        fclose(f);
        struct minutes_kept *k = open_kept(&r);
        struct stat s;
        assert_int_equal(stat(path, &s), 0);
        AUTO_FREE char *aside = xasprintf("rm %s.damaged-*", path);
        assert_int_equal(system(aside), 0);
        close_kept(&r, &k);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(types_are_counted_by_minute),
                cmocka_unit_test(invented_types_share_a_row),
                cmocka_unit_test(counts_outlive_the_database),
                cmocka_unit_test(what_follows_the_last_save_is_counted_again),
                cmocka_unit_test(a_database_that_is_there_stays),
                cmocka_unit_test(a_damaged_copy_is_put_aside),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
