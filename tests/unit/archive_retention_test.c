/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_retention_test.c: letters leave the archive by age and by size, and their space is freed.
 */
#include "tests/unit/archive_rig.h"

#include <sys/stat.h>

#include "common/db/db.h"

#define LATER (clock_wall() + MSEC_HOUR)

static size_t expire(struct archive *a, bool dead, msec before, int64_t down_to)
{
        const struct archive_expiry x = {
                .tenant = "acme", .dead = dead, .before = before, .down_to = down_to};
        struct err e = {0};
        size_t gone;

        assert_int_equal(archive_expire(a, &x, &gone, &e), 0);
        return gone;
}

/* Replays a letter and ends the replay at `at`; 0: leaves the replay under way. Returns its run. */
static int64_t replay(struct archive *a, const struct letter *l, msec at)
{
        const struct replay_edit none = {.priority = -1};
        struct err e = {0};
        struct replay_run run = {0};

        assert_int_equal(archive_begin_replay(a, l->id, &none, &run, &e), 0);
        if (at != 0)
                assert_int_equal(archive_end_replay(a, l->id, at, &e), 0);
        return run.run;
}

static bool is_there(struct archive *a, const struct letter *l)
{
        AUTO_BUFFER out = {0};

        return letters_get(a, &(struct letter_asked){.id = l->id, .tenant = NULL}, &out, NULL) == 0;
}

static int64_t number(const struct place *p, const char *sql)
{
        struct err e = {0};
        AUTO_QUERY *s = archive_query(p->archive, sql, NULL, &e);

        assert_int_equal(db_step(s, &e), 1);
        return sqlite3_column_int64(s, 0);
}

static int64_t usage(const struct place *p)
{
        return number(p, "SELECT bytes FROM usage WHERE tenant = 'acme'");
}

static void letters_go_when_they_are_old_enough(void **state)
{
        struct place *p = *state;
        struct letter replayed, dead, other;

        bury(p->archive, ID, "acme.high", "t", "{}", &replayed);
        bury(p->archive, ID, "acme.high", "t", "{}", &dead);
        bury(p->archive, ID, "beta.high", "t", "{}", &other);
        replay(p->archive, &replayed, NOW + 1000);
        assert_int_equal(expire(p->archive, false, NOW + 1000, 0), 0);
        assert_int_equal(expire(p->archive, false, NOW + 1001, 0), 1);
        assert_false(is_there(p->archive, &replayed));
        /* archived at NOW, so not older than that */
        assert_int_equal(expire(p->archive, true, NOW, 0), 0);
        assert_int_equal(expire(p->archive, true, NOW + 1, 0), 1);
        assert_false(is_there(p->archive, &dead));
        assert_true(is_there(p->archive, &other));
        assert_int_equal(number(p, "SELECT count(*) FROM contents"), 1);
}

static void what_is_on_its_way_stays(void **state)
{
        struct place *p = *state;
        struct message m = {.exchange = bytes_of_text("jobs.acme"),
                            .routing_key = bytes_of_text("bogus"),
                            .body = bytes_of_text("{}")};
        struct letter replaying, silent;
        struct err e = {0};
        size_t kept;

        bury(p->archive, ID, "acme.high", "t", "{}", &replaying);
        replay(p->archive, &replaying, 0);
        letter_of_message(&m, FROM_UNROUTABLE, NOW, &silent);
        assert_int_equal(archive_put(p->archive, &silent, 1, &kept, &e), 0);
        assert_int_equal(expire(p->archive, true, LATER, 0), 0);
        assert_int_equal(expire(p->archive, false, LATER, 0), 0);
        assert_int_equal(archive_set_announced(p->archive, &silent.id, 1, &e), 0);
        assert_int_equal(expire(p->archive, true, LATER, 0), 1);
        assert_true(is_there(p->archive, &replaying));
}

static void the_oldest_go_for_size(void **state)
{
        enum { LETTERS = 5 };
        struct place *p = *state;
        struct letter letters[LETTERS], dead;
        int64_t one;

        bury(p->archive, ID, "acme.high", "t", "{\"a\":1}", &dead);
        one = usage(p);
        for (int i = 0; i < LETTERS; i++) {
                bury(p->archive, ID, "acme.high", "t", "{\"a\":1}", &letters[i]);
                replay(p->archive, &letters[i], NOW + LETTERS - i); /* the last is the oldest */
        }
        assert_int_equal(usage(p), (LETTERS + 1) * one);
        assert_int_equal(expire(p->archive, false, INT64_MAX, (LETTERS + 1) * one), 0);
        assert_int_equal(expire(p->archive, false, INT64_MAX, 4 * one + 1), 2);
        assert_false(is_there(p->archive, &letters[4]));
        assert_false(is_there(p->archive, &letters[3]));
        assert_true(is_there(p->archive, &letters[2]));
        assert_int_equal(usage(p), 4 * one);
        /* Size deletes only replayed letters, never one that is still dead. */
        assert_int_equal(expire(p->archive, false, INT64_MAX, 1), 3);
        assert_int_equal(expire(p->archive, false, INT64_MAX, 1), 0);
        assert_true(is_there(p->archive, &dead));
}

/* The run of a deleted letter is not given to another letter of the same job. */
static void no_run_is_begun_twice(void **state)
{
        struct place *p = *state;
        struct letter first, second, other;

        bury(p->archive, ID, "acme.high", "t", "1", &first);
        bury(p->archive, ID, "acme.high", "t", "2", &second);
        bury(p->archive, "01902f5e-7b1a-7000-8000-000000000002", "acme.high", "t", "3", &other);
        assert_int_equal(replay(p->archive, &first, NOW), 2);
        assert_int_equal(expire(p->archive, false, LATER, 0), 1);
        assert_int_equal(replay(p->archive, &second, NOW), 3);
        assert_int_equal(replay(p->archive, &other, NOW), 2);
}

static void usage_counts_edits(void **state)
{
        const struct replay_edit edit = {.priority = -1, .payload = bytes_of_text("0123456789")};
        struct place *p = *state;
        struct letter l;
        struct err e = {0};
        struct replay_run run = {0};
        int64_t before;

        bury(p->archive, ID, "acme.high", "t", "{}", &l);
        before = usage(p);
        assert_int_equal(archive_begin_replay(p->archive, l.id, &edit, &run, &e), 0);
        assert_int_equal(usage(p), before + 10);
        assert_int_equal(archive_end_replay(p->archive, l.id, NOW, &e), 0);
        assert_int_equal(expire(p->archive, false, LATER, 0), 1);
        assert_int_equal(usage(p), 0);
}

static off_t file_size(const char *path)
{
        struct stat s;

        assert_int_equal(stat(path, &s), 0);
        return s.st_size;
}

static void fill_up(struct archive *a)
{
        enum { LETTERS = 150, SIZE = 64 * 1024 };
        static char body[SIZE + 1];
        struct letter l;

        memset(body, 'x', SIZE);
        for (int i = 0; i < LETTERS; i++)
                bury(a, ID, "acme.high", "t", body, &l);
}

/* Deletes all letters and gives their space back. */
static void empty(struct archive *a)
{
        struct err e = {0};
        int more;

        while (expire(a, true, LATER, 0) > 0)
                continue;
        while ((more = archive_give_back(a, &e)) == 1)
                continue;
        assert_int_equal(more, 0);
}

static void the_file_shrinks(void **state)
{
        enum { SMALL = 1024 * 1024 };
        struct place *p = *state;

        fill_up(p->archive);
        empty(p->archive);
        assert_true(file_size(p->path) < SMALL);
}

/* A step takes a bounded time, however large the letters are. */
static void a_step_is_bounded(void **state)
{
        struct place *p = *state;
        size_t steps = 0;

        fill_up(p->archive);
        for (size_t gone; (gone = expire(p->archive, true, LATER, 0)) > 0; steps++)
                assert_true(gone <= 100);
        assert_true(steps >= 2);
}

/* A file of an earlier version could not shrink and had no usage per tenant. */
static void an_old_file_shrinks_too(void **state)
{
        enum { SMALL = 1024 * 1024 };
        struct place *p = *state;
        struct err e = {0};

        fill_up(p->archive);
        int64_t bytes = usage(p);
        archive_destroy(&p->archive);
        AUTO_DB *old = db_open(p->path, DB_ARCHIVE, &e);
        assert_int_equal(db_exec(old,
                                 "DROP TABLE usage; DROP TRIGGER contents_put;"
                                 "DROP TRIGGER contents_edited; DROP TRIGGER contents_gone;"
                                 "ALTER TABLE letters DROP COLUMN replay_copy;"
                                 "PRAGMA user_version = 2; PRAGMA auto_vacuum = NONE; VACUUM;",
                                 &e),
                         0);
        db_close(&old);
        p->archive = archive_open(p->path, &e);
        assert_non_null(p->archive);
        assert_int_equal(usage(p), bytes);
        empty(p->archive);
        assert_true(file_size(p->path) < SMALL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(letters_go_when_they_are_old_enough, begin, end),
                cmocka_unit_test_setup_teardown(what_is_on_its_way_stays, begin, end),
                cmocka_unit_test_setup_teardown(the_oldest_go_for_size, begin, end),
                cmocka_unit_test_setup_teardown(no_run_is_begun_twice, begin, end),
                cmocka_unit_test_setup_teardown(usage_counts_edits, begin, end),
                cmocka_unit_test_setup_teardown(the_file_shrinks, begin, end),
                cmocka_unit_test_setup_teardown(a_step_is_bounded, begin, end),
                cmocka_unit_test_setup_teardown(an_old_file_shrinks_too, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
