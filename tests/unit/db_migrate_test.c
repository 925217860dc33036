/* SPDX-License-Identifier: Apache-2.0
 *
 * db_migrate_test.c: a database is migrated to the known version completely or not at all.
 */
#include "tests/unit/stored_db.h"

#include "common/db/migrate.h"

struct place {
        char folder[32], path[48];
};

static int begin(void **state)
{
        struct place *p = xcalloc(1, sizeof(*p));

        snprintf(p->folder, sizeof(p->folder), "/tmp/warren-unit-XXXXXX");
        if (mkdtemp(p->folder) == NULL)
                return -1;
        snprintf(p->path, sizeof(p->path), "%s/some.db", p->folder);
        *state = p;
        return 0;
}

static int end(void **state)
{
        struct place *p = *state;

        stored_db_remove(p->path);
        int removed = rmdir(p->folder);
        free(p);
        return removed;
}

static int double_them(sqlite3 *db, struct err *e)
{
        return db_exec(db, "UPDATE things SET size = 2 * n", e);
}

static int fill(sqlite3 *db, struct err *e)
{
        return db_exec(db,
                       "WITH RECURSIVE many(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM many"
                       " LIMIT 1000) INSERT INTO filler SELECT zeroblob(4096) FROM many",
                       e);
}

#define TABLES "CREATE TABLE things(n INTEGER, size INTEGER, label TEXT)"

static const struct db_step steps[] = {
        [0] = {0},
        [1] = {.sql = "ALTER TABLE things ADD COLUMN size INTEGER", .run = double_them},
        [2] = {.sql = "ALTER TABLE things ADD COLUMN label TEXT"},
};

static const struct db_schema known = {
        .tables = TABLES, .steps = steps, .version = COUNT(steps), .otherwise = "do without it"};

static const char version_1[] = "CREATE TABLE things(n INTEGER); INSERT INTO things VALUES(21);"
                                "PRAGMA user_version = 1";

static int migrate(const char *path, const struct db_schema *schema, struct err *e)
{
        AUTO_DB *db = db_open(path, DB_PRIMARY, e);

        assert_non_null(db);
        return db_migrate(db, schema, e);
}

static void assert_version(const char *path, const char *want)
{
        AUTO_FREE char *got = stored_db_lines(path, "PRAGMA user_version");

        assert_string_equal(got, want);
}

static void a_new_file_has_all(void **state)
{
        struct place *p = *state;
        struct err e = {0};

        for (int i = 0; i < 2; i++)
                assert_int_equal(migrate(p->path, &known, &e), 0);
        assert_version(p->path, "3\n");
        AUTO_FREE char *rows = stored_db_lines(p->path, "SELECT size || label FROM things");
        assert_string_equal(rows, "");
}

static void every_step_is_gone(void **state)
{
        struct place *p = *state;
        struct err e = {0};

        stored_db_exec(p->path, version_1);
        assert_int_equal(migrate(p->path, &known, &e), 0);
        assert_version(p->path, "3\n");
        AUTO_FREE char *rows = stored_db_lines(
                p->path, "SELECT n || ' ' || size || ifnull(label, '') FROM things");
        assert_string_equal(rows, "21 42\n");
}

static void a_newer_one_is_refused(void **state)
{
        struct place *p = *state;
        struct err e = {0};
        AUTO_FREE char *want = xasprintf(
                "%s: a newer Warren made it: it has version 9 of its tables, and this one knows"
                " them up to 3. Run that Warren, or do without it",
                p->path);

        stored_db_exec(p->path, "CREATE TABLE other(n); PRAGMA user_version = 9");
        assert_int_equal(migrate(p->path, &known, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        assert_string_equal(e.text, want);
        assert_version(p->path, "9\n");
        AUTO_FREE char *tables = stored_db_lines(p->path, "SELECT name FROM sqlite_master");
        assert_string_equal(tables, "other\n");
}

static void tables_without_a_version_are_refused_where_no_step_knows_them(void **state)
{
        struct place *p = *state;
        struct err e = {0};

        stored_db_exec(p->path, "CREATE TABLE things(n)");
        assert_int_equal(migrate(p->path, &known, &e), -1);
        assert_int_equal(e.code, ERR_CORRUPT);
        assert_version(p->path, "0\n");
}

/* The changes of the first step are rolled back too. */
static void a_step_that_fails_leaves_the_file_as_it_was(void **state)
{
        static const struct db_step poisoned[] = {
                [0] = {0},
                [1] = {.sql = "ALTER TABLE things ADD COLUMN size INTEGER", .run = double_them},
                [2] = {.sql = "UPDATE things SET nothing = 1"},
        };
        const struct db_schema schema = {.tables = TABLES, .steps = poisoned, .version = 3};
        struct place *p = *state;
        struct err e = {0};

        stored_db_exec(p->path, version_1);
        AUTO_FREE char *before = stored_db_schema(p->path);
        assert_int_equal(migrate(p->path, &schema, &e), -1);
        assert_non_null(strstr(e.text, p->path));
        assert_non_null(strstr(e.text, "from version 2 to 3"));
        assert_non_null(strstr(e.text, "nothing"));
        AUTO_FREE char *after = stored_db_schema(p->path);
        assert_string_equal(after, before);
        AUTO_FREE char *rows = stored_db_lines(p->path, "SELECT n FROM things");
        assert_string_equal(rows, "21\n");
        err_clear(&e);
        assert_int_equal(migrate(p->path, &known, &e), 0);
}

static void a_full_disk_leaves_the_file_as_it_was(void **state)
{
        static const struct db_step large[] = {
                [0] = {0},
                [1] = {.sql = "CREATE TABLE filler(b BLOB)", .run = fill},
        };
        const struct db_schema schema = {.tables = TABLES, .steps = large, .version = 2};
        struct place *p = *state;
        struct err e = {0};

        stored_db_exec(p->path, version_1);
        AUTO_DB *db = db_open(p->path, DB_PRIMARY, &e);
        assert_int_equal(db_exec(db, "PRAGMA max_page_count = 100", &e), 0);
        assert_int_equal(db_migrate(db, &schema, &e), -1);
        assert_int_equal(e.code, ERR_UNAVAILABLE);
        assert_true(sqlite3_get_autocommit(db));
        AUTO_FREE char *tables = stored_db_lines(p->path, "SELECT name FROM sqlite_master");
        assert_string_equal(tables, "things\n");
        assert_version(p->path, "1\n");
        err_clear(&e);
        assert_int_equal(db_exec(db, "PRAGMA max_page_count = 100000", &e), 0);
        assert_int_equal(db_migrate(db, &schema, &e), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_new_file_has_all, begin, end),
                cmocka_unit_test_setup_teardown(every_step_is_gone, begin, end),
                cmocka_unit_test_setup_teardown(a_newer_one_is_refused, begin, end),
                cmocka_unit_test_setup_teardown(
                        tables_without_a_version_are_refused_where_no_step_knows_them, begin, end),
                cmocka_unit_test_setup_teardown(a_step_that_fails_leaves_the_file_as_it_was, begin,
                                                end),
                cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_file_as_it_was, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
