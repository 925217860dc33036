/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_test.c: dead letters are stored once and byte for byte; they are listed, searched and
 * copied.
 */
#include "tests/unit/archive_rig.h"
#include "tests/unit/stored_db.h"

#include <sys/stat.h>

#include "common/db/db.h"

static void a_burial_is_kept_once(void **state)
{
        struct place *p = *state;
        struct letter l;
        struct err e = {0};
        size_t kept;

        assert_int_equal(bury(p->archive, ID, "acme.high", "t", "{}", &l), 1);
        uuid7(l.id); /* delivered again: another letter of the same burial */
        assert_int_equal(archive_put(p->archive, &l, 1, &kept, &e), 0);
        assert_int_equal(kept, 0);
        assert_int_equal(bury(p->archive, ID, "acme.high", "t", "{}", &l), 1);
        assert_int_equal(list_count(p->archive, &(struct letter_filter){.limit = 10}), 2);
}

static void the_same_bytes_twice_are_two_burials(void **state)
{
        struct place *p = *state;
        struct message m = {0};
        struct letter l;
        struct err e = {0};
        size_t kept;

        m.exchange = bytes_of_text("jobs.acme");
        m.routing_key = bytes_of_text("bogus");
        m.body = bytes_of_text("x");
        for (int i = 0; i < 4; i++) {
                letter_of_message(&m, FROM_UNROUTABLE, NOW, &l);
                l.redelivered = i % 2 == 1;
                assert_int_equal(archive_put(p->archive, &l, 1, &kept, &e), 0);
                assert_int_equal(kept, l.redelivered ? 0 : 1);
        }
}

/* A malformed message gets its id from its content: buried twice, it is still one letter. */
static void a_malformed_message_is_one_letter(void **state)
{
        static const char *const bodies[] = {"{", "{", "[", "{"};
        struct place *p = *state;
        struct letter l;
        struct err e = {0};
        size_t kept, all = 0;

        for (size_t i = 0; i < COUNT(bodies); i++) {
                struct message m = {.exchange = bytes_of_text("dead"),
                                    .routing_key = bytes_of_text("acme.high"),
                                    .body = bytes_of_text(bodies[i])};
                letter_of_message(&m, FROM_DEAD, NOW, &l);
                assert_int_equal(archive_put(p->archive, &l, 1, &kept, &e), 0);
                all += kept;
        }
        assert_int_equal(all, 2);
}

static void a_failed_batch_leaves_nothing(void **state)
{
        struct place *p = *state;
        static struct letter letters[2];
        struct err e = {0};
        size_t kept;

        bury(p->archive, ID, "acme.high", "t", "{}", &letters[0]);
        letters[1] = letters[0];
        snprintf(letters[0].burial, sizeof(letters[0].burial), "new");
        uuid7(letters[0].id);
        snprintf(letters[1].burial, sizeof(letters[1].burial), "newer");
        memcpy(letters[1].id, letters[0].id, UUID_SIZE); /* no two letters have one id */
        assert_int_equal(archive_put(p->archive, letters, 2, &kept, &e), -1);
        assert_int_equal(list_count(p->archive, &(struct letter_filter){.limit = 10}), 1);
}

static void filters_select(void **state)
{
        static const struct {
                struct letter_filter filter;
                size_t want;
        } rows[] = {
                {{.tenant = NULL}, 3},
                {{.tenant = "acme"}, 2},
                {{.tenant = "nobody"}, 0},
                {{.job = ID}, 2},
                {{.job = ID, .tenant = "beta"}, 1},
                {{.type = "a"}, 2},
                {{.reason = "exhausted"}, 3},
                {{.reason = "poison"}, 0},
                {{.state = "dead"}, 3},
                {{.state = "replayed"}, 0},
                {{.q = "needle"}, 1},
                {{.q = "boom"}, 3},
                {{.q = "%"}, 0},
                {{.q = "needle", .tenant = "beta"}, 0},
                {{.group = "none"}, 0},
        };
        struct place *p = *state;
        struct letter l;

        bury(p->archive, ID, "acme.high", "a", "{\"x\":\"needle\"}", &l);
        bury(p->archive, ID, "beta.high", "a", "{}", &l);
        bury(p->archive, "01902f5e-7b1a-7000-8000-000000000002", "acme.low", "b", "{}", &l);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct letter_filter f = rows[i].filter;
                f.limit = 10;
                assert_int_equal(list_count(p->archive, &f), rows[i].want);
        }
}

/* A walk sees each letter that was there at the start exactly once, whatever is added between the
 * pages. */
static void pages_miss_nothing(void **state)
{
        enum { LETTERS = 25, PAGE = 4 };
        struct place *p = *state;
        static char seen[LETTERS * 2][UUID_SIZE];
        char cursor[UUID_SIZE] = "";
        struct letter_filter f = {.limit = PAGE};
        size_t count = 0;
        struct letter l;

        for (int i = 0; i < LETTERS; i++)
                bury(p->archive, ID, "acme.high", "t", "{}", &l);
        for (;;) {
                json_t *page = list(p->archive, &f), *letter;
                size_t i;
                json_array_foreach(json_object_get(page, "letters"), i, letter)
                {
                        const char *id = json_string_value(json_object_get(letter, "id"));
                        for (size_t j = 0; j < count; j++)
                                assert_string_not_equal(seen[j], id);
                        snprintf(seen[count++], UUID_SIZE, "%s", id);
                }
                const char *next = json_string_value(json_object_get(page, "next_cursor"));
                bool more = next != NULL;
                if (more)
                        snprintf(cursor, sizeof(cursor), "%s", next);
                f.cursor = cursor;
                json_decref(page);
                bury(p->archive, ID, "acme.high", "t", "{}", &l);
                if (!more)
                        break;
        }
        assert_int_equal(count, LETTERS);
}

static void groups_are_counted(void **state)
{
        struct place *p = *state;
        AUTO_BUFFER out = {0};
        struct err e = {0};
        struct letter l;

        bury(p->archive, ID, "acme.high", "a", "{}", &l);
        bury(p->archive, ID, "acme.high", "a", "{}", &l);
        bury(p->archive, ID, "acme.high", "b", "{}", &l);
        json_t *json = read_json(
                letters_groups(p->archive, &(struct letter_filter){.limit = 10}, &out, &e), &out);
        json_t *groups = json_object_get(json, "groups");
        assert_int_equal(json_array_size(groups), 2);
        json_t *first = json_array_get(groups, 0);
        assert_int_equal(json_integer_value(json_object_get(first, "count")), 2);
        assert_string_equal(json_string_value(json_object_get(first, "type")), "a");
        assert_string_equal(json_string_value(json_object_get(first, "error")), "boom 7");
        json_decref(json);
}

static void a_letter_is_shown_as_it_came(void **state)
{
        struct place *p = *state;
        AUTO_BUFFER out = {0};
        struct err e = {0};
        struct letter l;

        bury(p->archive, ID, "acme.high", "t", "{ \"a\":1.10 }", &l);
        assert_int_equal(letters_get(p->archive, &(struct letter_asked){.id = l.id, .tenant = NULL},
                                     &out, &e),
                         0);
        assert_non_null(
                strstr(out.data, "\"payload\":{ \"a\":1.10 }")); /* the number is not reprinted */
        json_t *json = read_json(0, &out);
        json_t *properties = json_object_get(json, "properties");
        assert_string_equal(json_string_value(json_object_get(properties, "message_id")), ID);
        assert_string_equal(json_string_value(json_object_get(json, "exchange")), "dead");
        json_decref(json);

        bury(p->archive, ID, "acme.high", "t", "\xff", &l);
        json = read_json(letters_get(p->archive,
                                     &(struct letter_asked){.id = l.id, .tenant = "acme"}, &out,
                                     &e),
                         &out);
        assert_true(json_is_null(json_object_get(json, "payload")));
        assert_string_equal(json_string_value(json_object_get(json, "payload_base64")), "/w==");
        json_decref(json);

        assert_int_equal(letters_get(p->archive,
                                     &(struct letter_asked){.id = l.id, .tenant = "beta"}, &out,
                                     &e),
                         -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void unroutable_letters_are_announced(void **state)
{
        struct place *p = *state;
        struct message m = {0};
        AUTO_BUFFER lines = {0};
        char ids[4][UUID_SIZE];
        struct letter l;
        struct err e = {0};
        size_t count;

        m.exchange = bytes_of_text("jobs.acme");
        m.routing_key = bytes_of_text("bogus");
        m.message_id = bytes_of_text(ID);
        m.body = bytes_of_text("{}");
        letter_of_message(&m, FROM_UNROUTABLE, NOW, &l);
        assert_int_equal(archive_put(p->archive, &l, 1, &count, &e), 0);
        bury(p->archive, ID, "acme.high", "t", "{}", &l);
        assert_int_equal(letters_silent(p->archive, 4, ids, &count, &lines, &e), 0);
        assert_int_equal(count, 1);
        assert_non_null(strstr(lines.data, "\"event\":\"buried\""));
        assert_non_null(strstr(lines.data, "\"reason\":\"unroutable\""));
        assert_int_equal(archive_set_announced(p->archive, ids, count, &e), 0);
        assert_int_equal(letters_silent(p->archive, 4, ids, &count, &lines, &e), 0);
        assert_int_equal(count, 0);
}

/* Stored letters survive, and fields that the old version did not have can be set. */
static void an_archive_of_each_version_is_read(void **state)
{
        static const char *const names[] = {"archive-1", "archive-2", "archive-2-retention",
                                            "archive-3"};
        const struct replay_edit edit = {.priority = -1, .sets_run_at = true, .run_at = NOW};
        struct place *p = *state;
        AUTO_FREE char *schema = stored_db_schema(p->path);

        for (size_t i = 0; i < COUNT(names); i++) {
                AUTO_BUFFER out = {0};
                struct letter l;
                struct err e = {0};
                struct replay_run run = {0};
                stored_db_make(p->copy, names[i]);
                for (int turn = 0; turn < 2; turn++) {
                        AUTO(archive) copy = archive_open(p->copy, &e);
                        if (copy == NULL)
                                fail_msg("%s: %s", names[i], e.text);
                        assert_int_equal(
                                letters_get(copy,
                                            &(struct letter_asked){.id = ID, .tenant = "acme"},
                                            &out, &e),
                                0);
                        bury(copy, ID, "acme.high", "t", "{}", &l);
                        assert_int_equal(archive_begin_replay(copy, l.id, &edit, &run, &e), 0);
                }
                AUTO_FREE char *tables = stored_db_schema(p->copy);
                assert_string_equal(tables, schema);
                AUTO_FREE char *usage =
                        stored_db_lines(p->copy, "SELECT count(*) || ' ' || min(bytes"
                                                 " > 4 * 1024) FROM usage");
                assert_string_equal(usage, "1 1\n");
                AUTO_FREE char *replayed = stored_db_lines(
                        p->copy, "SELECT state || replay_run FROM letters WHERE replayed_at > 0");
                assert_string_equal(replayed, "replayed2\n");
                stored_db_remove(p->copy);
        }
}

static void a_newer_archive_is_refused(void **state)
{
        struct place *p = *state;
        struct err e = {0};

        stored_db_exec(p->path, "PRAGMA user_version = 99");
        assert_null(archive_open(p->path, &e));
        assert_int_equal(e.code, ERR_CONFLICT);
        assert_non_null(strstr(e.text, p->path));
        assert_non_null(strstr(e.text, "version 99"));
}

static void an_archive_without_a_table_is_refused(void **state)
{
        static const char *const tables[] = {"letters", "contents", "usage", "warnings"};
        struct place *p = *state;

        for (size_t i = 0; i < COUNT(tables); i++) {
                AUTO_FREE char *drop = xasprintf("DROP TABLE %s", tables[i]);
                struct err e = {0};
                AUTO(archive) copy = archive_open(p->copy, &e);
                assert_non_null(copy);
                archive_destroy(&copy);
                stored_db_exec(p->copy, drop);
                assert_null(archive_open(p->copy, &e));
                assert_non_null(strstr(e.text, tables[i]));
                stored_db_remove(p->copy);
        }
}

static void assert_private(const char *path)
{
        struct stat s;

        assert_int_equal(stat(path, &s), 0);
        assert_int_equal(s.st_mode & 0777, 0600);
}

/* Holds whatever the umask is, and also for files that an earlier version made. */
static void only_the_user_reads_its_files(void **state)
{
        static const char *const suffixes[] = {"", "-wal", "-shm"};
        mode_t was = umask(0);
        struct place *p = *state;
        char path[128];
        struct letter l;
        struct err e = {0};

        for (int old = 0; old < 2; old++) {
                AUTO(archive) copy = archive_open(p->copy, &e);
                assert_non_null(copy);
                bury(copy, ID, "acme.high", "t", "{}", &l);
                for (size_t i = 0; i < COUNT(suffixes); i++) {
                        snprintf(path, sizeof(path), "%s%s", p->copy, suffixes[i]);
                        assert_private(path);
                }
                archive_destroy(&copy);
                assert_int_equal(chmod(p->copy, 0644), 0);
        }
        unlink(p->copy);
        assert_int_equal(db_backup(p->path, p->copy, &e), 0);
        assert_private(p->copy);
        umask(was);
}

/* A failed backup leaves no file that would block the next one. */
static void a_backup_that_failed_leaves_nothing(void **state)
{
        struct place *p = *state;
        struct err e = {0};

        archive_destroy(&p->archive);
        FILE *broken = fopen(p->path, "w");
        assert_non_null(broken);
        fputs("this is no database, and too long to be taken for an empty one", broken);
        fclose(broken);
        assert_int_equal(db_backup(p->path, p->copy, &e), -1);
        assert_int_equal(access(p->copy, F_OK), -1);
}

static void a_backup_is_whole(void **state)
{
        struct place *p = *state;
        struct letter l;
        struct err e = {0};

        bury(p->archive, ID, "acme.high", "t", "{}", &l);
        assert_int_equal(db_backup(p->path, p->copy, &e), 0);
        AUTO(archive) copy = archive_open(p->copy, &e);
        assert_non_null(copy);
        assert_int_equal(list_count(copy, &(struct letter_filter){.limit = 10}), 1);
        assert_int_equal(db_backup(p->path, p->copy, &e), -1); /* never overwrites an old backup */
        err_clear(&e);
        assert_int_equal(db_backup("/nonexistent/a", p->copy, &e), -1);
        assert_int_equal(e.code, ERR_SYSTEM);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_burial_is_kept_once, begin, end),
                cmocka_unit_test_setup_teardown(the_same_bytes_twice_are_two_burials, begin, end),
                cmocka_unit_test_setup_teardown(a_malformed_message_is_one_letter, begin, end),
                cmocka_unit_test_setup_teardown(a_failed_batch_leaves_nothing, begin, end),
                cmocka_unit_test_setup_teardown(filters_select, begin, end),
                cmocka_unit_test_setup_teardown(pages_miss_nothing, begin, end),
                cmocka_unit_test_setup_teardown(groups_are_counted, begin, end),
                cmocka_unit_test_setup_teardown(a_letter_is_shown_as_it_came, begin, end),
                cmocka_unit_test_setup_teardown(unroutable_letters_are_announced, begin, end),
                cmocka_unit_test_setup_teardown(an_archive_of_each_version_is_read, begin, end),
                cmocka_unit_test_setup_teardown(a_newer_archive_is_refused, begin, end),
                cmocka_unit_test_setup_teardown(an_archive_without_a_table_is_refused, begin, end),
                cmocka_unit_test_setup_teardown(only_the_user_reads_its_files, begin, end),
                cmocka_unit_test_setup_teardown(a_backup_that_failed_leaves_nothing, begin, end),
                cmocka_unit_test_setup_teardown(a_backup_is_whole, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
