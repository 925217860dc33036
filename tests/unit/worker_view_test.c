/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_view_test.c: what a consumer's record shows, also one of an older version.
 */
#include <string.h>

#include "common/base/own.h"
#include "common/model/record.h"
#include "status-store/why/worker_view.h"
#include "tests/unit/unit.h"

enum { NOW = 100000, OLD = NOW - 15000 };

static const char full[] =
        "{\"concurrency\":4,\"state\":\"up\",\"running\":[{\"id\":\"1\",\"type\":\"mail\"},"
        "{\"id\":\"2\",\"type\":\"mail\"},{\"id\":\"3\",\"type\":\"mails\"}],\"busy\":3,"
        "\"waiting\":2,\"types\":[\"mail\",\"noop\"],\"all_types\":true,\"limits\":{\"mail\":2},"
        "\"no_handler_wait\":600000}";

/* A row, and the view that borrows its bytes. */
struct seen {
        sqlite3 *db;
        sqlite3_stmt *row;
        struct worker_view view;
};

static void see(struct seen *s, const char *state, msec at, const char *record)
{
        struct err e = {0};

        assert_int_equal(sqlite3_open(":memory:", &s->db), SQLITE_OK);
        s->row = db_prepare(s->db, "SELECT 'host-a/1', ?1, ?2, ?3", &e);
        assert_non_null(s->row);
        db_bind_int(s->row, 1, at);
        db_bind_text(s->row, 2, state);
        db_bind_blob(s->row, 3, record, strlen(record));
        assert_int_equal(db_step(s->row, &e), 1);
        worker_view_read(s->row, NOW, &s->view);
}

static void unsee(struct seen *s)
{
        db_finalize(&s->row);
        db_close(&s->db);
}
#define AUTO_SEEN __attribute__((cleanup(unsee))) struct seen

static void test_statuses(void **state)
{
        (void)state;
        static const struct {
                const char *state;
                msec at;
                enum worker_status want;
                const char *name;
        } cases[] = {
                {"up", OLD + 1, WORKER_IS_UP, "up"},
                {"up", OLD, WORKER_IS_LOST, "lost"},
                {"draining", NOW, WORKER_IS_DRAINING, "draining"},
                {"draining", OLD, WORKER_IS_LOST, "lost"},
                {"gone", NOW, WORKER_IS_GONE, "gone"},
                {"gone", OLD, WORKER_IS_GONE, "gone"},
        };

        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO_SEEN s = {0};
                see(&s, cases[i].state, cases[i].at, full);
                assert_int_equal(s.view.status, cases[i].want);
                assert_string_equal(worker_status_name(s.view.status), cases[i].name);
        }
}

static void test_members(void **state)
{
        (void)state;
        AUTO_SEEN s = {0};

        see(&s, "up", NOW, full);
        const struct worker_view *w = &s.view;
        assert_string_equal(w->name, "host-a/1");
        assert_int_equal(w->at, NOW);
        assert_int_equal(w->concurrency, 4);
        assert_int_equal(w->busy, 3);
        assert_int_equal(w->waiting, 2);
        assert_int_equal(w->no_handler_wait, 600000);
        assert_true(worker_view_handles(w, "mail"));
        assert_false(worker_view_handles(w, "mails"));
        assert_int_equal(worker_view_running(w, "mail"), 2);
        assert_int_equal(worker_view_running(w, "noop"), 0);
        assert_int_equal(worker_view_limit(w, "mail"), 2);
        assert_int_equal(worker_view_limit(w, "noop"), RECORD_UNLIMITED);
}

/* As the version before wrote it, without limits, waiting and busy. */
static void test_older_record(void **state)
{
        (void)state;
        AUTO_SEEN s = {0};

        see(&s, "up", NOW,
            "{\"event\":\"worker\",\"worker\":\"host-a/"
            "1\",\"at\":1,\"started\":1,\"version\":\"1\","
            "\"concurrency\":8,\"state\":\"up\",\"running\":[{\"id\":\"1\",\"tenant\":\"acme\","
            "\"type\":\"mail\",\"since\":1}],\"types\":[\"mail\"],\"all_types\":false}");
        assert_int_equal(s.view.busy, 1);
        assert_int_equal(s.view.waiting, 0);
        assert_int_equal(worker_view_limit(&s.view, "mail"), RECORD_UNLIMITED);
        assert_true(worker_view_handles(&s.view, "any"));
}

static void test_no_record(void **state)
{
        (void)state;
        AUTO_SEEN s = {0};

        see(&s, "up", NOW, "");
        assert_false(worker_view_handles(&s.view, "mail"));
        assert_int_equal(s.view.busy, 0);
        assert_int_equal(worker_view_running(&s.view, "mail"), 0);
}

static void test_wrong_kinds(void **state)
{
        (void)state;
        AUTO_SEEN s = {0};

        see(&s, "up", NOW,
            "{\"running\":{},\"types\":[1,null],\"limits\":[],\"busy\":-3,\"all_types\":true}");
        assert_int_equal(s.view.busy, 0);
        assert_false(worker_view_handles(&s.view, "mail"));
        assert_int_equal(worker_view_limit(&s.view, "mail"), RECORD_UNLIMITED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_statuses),     cmocka_unit_test(test_members),
                cmocka_unit_test(test_older_record), cmocka_unit_test(test_no_record),
                cmocka_unit_test(test_wrong_kinds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
