/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_test.c: dead letters kept once and byte for byte, listed, searched, replayed.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/base/own.h"
#include "common/db/db.h"
#include "dlx-monitor/letters.h"
#include "dlx-monitor/replay.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define NOW ((msec)1732250000000)

struct place {
        char folder[64], path[96], copy[96];
        struct archive *archive;
};

static int begin(void **state)
{
        struct place *p = calloc(1, sizeof(*p));
        struct err e = {0};

        snprintf(p->folder, sizeof(p->folder), "/tmp/warren-archive-XXXXXX");
        if (mkdtemp(p->folder) == NULL)
                return -1;
        snprintf(p->path, sizeof(p->path), "%s/archive.db", p->folder);
        snprintf(p->copy, sizeof(p->copy), "%s/copy.db", p->folder);
        p->archive = archive_open(p->path, &e);
        *state = p;
        return p->archive == NULL ? -1 : 0;
}

static int end(void **state)
{
        static const char *const suffixes[] = {"", "-wal", "-shm"};
        struct place *p = *state;
        char path[128];

        archive_destroy(&p->archive);
        for (size_t i = 0; i < 3; i++) {
                snprintf(path, sizeof(path), "%s%s", p->path, suffixes[i]);
                unlink(path);
                snprintf(path, sizeof(path), "%s%s", p->copy, suffixes[i]);
                unlink(path);
        }
        rmdir(p->folder);
        free(p);
        return 0;
}

/* A property list with what a job needs, in wire form. */
static size_t wire_properties(char *out, const char *id, const char *type)
{
        static const char content_type[] = "application/json";
        size_t at = 0;

        out[at++] = (char)0x90; /* content_type, delivery_mode */
        out[at++] = (char)0xa0; /* message_id, type */
        out[at++] = (char)strlen(content_type);
        memcpy(out + at, content_type, strlen(content_type));
        at += strlen(content_type);
        out[at++] = 2;
        out[at++] = (char)strlen(id);
        memcpy(out + at, id, strlen(id));
        at += strlen(id);
        out[at++] = (char)strlen(type);
        memcpy(out + at, type, strlen(type));
        return at + strlen(type);
}

/* Archives a burial of a service; returns what archive_put kept. */
static size_t bury(struct archive *a, const char *id, const char *tenant_lane, const char *type,
                   const char *body, struct letter *l)
{
        static char wire[256];
        static struct message m;
        struct err e = {0};
        char burial[UUID_SIZE];
        size_t kept;

        memset(&m, 0, sizeof(m));
        uuid7(burial);
        m.exchange = bytes_of_text("dead");
        m.routing_key = bytes_of_text(tenant_lane);
        m.user_id = bytes_of_text("warren-consumer");
        m.message_id = bytes_of_text(id);
        m.type = bytes_of_text(type);
        m.content_type = bytes_of_text("application/json");
        m.delivery_mode = 2;
        m.body = bytes_of_text(body);
        m.properties = bytes_of(wire, wire_properties(wire, id, type));
        message_add_text(&m, "x-reason", bytes_of_text("exhausted"));
        message_add_text(&m, "x-error", bytes_of_text("boom 7"));
        message_add_text(&m, "x-burial", bytes_of_text(burial));
        letter_of_message(&m, FROM_DEAD, NOW, l);
        assert_int_equal(archive_put(a, l, 1, &kept, &e), 0);
        return kept;
}

static json_t *read_json(int result, struct buffer *text)
{
        assert_int_equal(result, 0);
        json_t *json = json_loadb(text->data, text->length, 0, NULL);
        assert_non_null(json);
        buffer_clear(text);
        return json;
}

static json_t *list(struct archive *a, const struct letter_filter *f)
{
        AUTO_BUFFER out = {0};
        struct err e = {0};

        return read_json(letters_list(a, f, &out, &e), &out);
}

static size_t list_count(struct archive *a, const struct letter_filter *f)
{
        json_t *json = list(a, f);
        size_t count = json_array_size(json_object_get(json, "letters"));

        json_decref(json);
        return count;
}

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

/* Each letter that was there at the start exactly once, whatever comes in between the pages. */
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
        assert_int_equal(letters_get(p->archive, l.id, NULL, &out, &e), 0);
        assert_non_null(
                strstr(out.data, "\"payload\":{ \"a\":1.10 }")); /* no number printed anew */
        json_t *json = read_json(0, &out);
        json_t *properties = json_object_get(json, "properties");
        assert_string_equal(json_string_value(json_object_get(properties, "message_id")), ID);
        assert_string_equal(json_string_value(json_object_get(json, "exchange")), "dead");
        json_decref(json);

        bury(p->archive, ID, "acme.high", "t", "\xff", &l);
        json = read_json(letters_get(p->archive, l.id, "acme", &out, &e), &out);
        assert_true(json_is_null(json_object_get(json, "payload")));
        assert_string_equal(json_string_value(json_object_get(json, "payload_base64")), "/w==");
        json_decref(json);

        assert_int_equal(letters_get(p->archive, l.id, "beta", &out, &e), -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void a_replay_outlives_a_crash(void **state)
{
        const struct replay_edit edit = {
                .payload = bytes_of_text("[2]"), .type = "other", .priority = PRIORITY_LOW};
        __attribute__((cleanup(letter_content_fini))) struct letter_content content = {0};
        struct place *p = *state;
        char left[2][UUID_SIZE], tenant[TENANT_SIZE];
        size_t count;
        struct letter l;
        struct err e = {0};
        int64_t run;

        bury(p->archive, ID, "acme.high", "t", "{}", &l);
        assert_int_equal(archive_begin_replay(p->archive, l.id, &edit, &run, &e), 0);
        assert_int_equal(run, 2);
        assert_int_equal(archive_begin_replay(p->archive, l.id, &edit, &run, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);

        archive_destroy(&p->archive);
        p->archive = archive_open(p->path, &e);
        assert_non_null(p->archive);
        assert_int_equal(letters_replaying(p->archive, left, 2, "", &count, &e), 0);
        assert_int_equal(count, 1);
        assert_string_equal(left[0], l.id);
        assert_int_equal(letters_replaying(p->archive, left, 2, l.id, &count, &e), 0);
        assert_int_equal(count, 0);
        assert_int_equal(letters_content(p->archive, l.id, NULL, &content, &e), 0);
        assert_int_equal(content.replay_run, 2);
        assert_string_equal(content.replay_type, "other");
        assert_int_equal(content.replay_priority, PRIORITY_LOW);
        assert_true(bytes_equal_text(buffer_bytes(&content.edited), "[2]"));
        assert_int_equal(
                list_count(p->archive, &(struct letter_filter){.limit = 9, .state = "dead"}), 1);

        assert_int_equal(letters_replaying_tenant(p->archive, l.id, tenant, &e), 0);
        assert_string_equal(tenant, "acme");
        assert_int_equal(archive_end_replay(p->archive, l.id, NOW, &e), 0);
        assert_int_equal(letters_replaying_tenant(p->archive, l.id, tenant, &e), -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
        err_clear(&e);
        assert_int_equal(letters_replaying(p->archive, left, 2, "", &count, &e), 0);
        assert_int_equal(count, 0);
        assert_int_equal(archive_begin_replay(p->archive, l.id, &edit, &run, &e), -1);
        assert_int_equal(e.code, ERR_CONFLICT);
        err_clear(&e);
        assert_int_equal(archive_begin_replay(p->archive, ID, &edit, &run, &e), -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void an_abandoned_replay_is_a_dead_letter_again(void **state)
{
        const struct replay_edit none = {.priority = -1};
        struct place *p = *state;
        char left[1][UUID_SIZE];
        size_t count;
        struct letter l;
        struct err e = {0};
        int64_t run;

        bury(p->archive, ID, "acme.high", "t", "{}", &l);
        assert_int_equal(archive_begin_replay(p->archive, l.id, &none, &run, &e), 0);
        assert_int_equal(archive_abandon_replay(p->archive, l.id, &e), 0);
        assert_int_equal(letters_replaying(p->archive, left, 1, "", &count, &e), 0);
        assert_int_equal(count, 0);
        assert_int_equal(
                list_count(p->archive, &(struct letter_filter){.limit = 9, .state = "dead"}), 1);
        assert_int_equal(archive_begin_replay(p->archive, l.id, &none, &run, &e), 0);
        assert_int_equal(run, 3);
}

static void each_replay_of_a_job_is_a_run_of_its_own(void **state)
{
        const struct replay_edit none = {.priority = -1};
        struct place *p = *state;
        struct letter first, second, other;
        struct err e = {0};
        int64_t run;

        bury(p->archive, ID, "acme.high", "t", "{}", &first);
        bury(p->archive, ID, "acme.high", "t", "{}", &second);
        bury(p->archive, ID, "beta.high", "t", "{}", &other);
        assert_int_equal(archive_begin_replay(p->archive, second.id, &none, &run, &e), 0);
        assert_int_equal(run, 2);
        assert_int_equal(archive_begin_replay(p->archive, first.id, &none, &run, &e), 0);
        assert_int_equal(run, 3);
        assert_int_equal(archive_begin_replay(p->archive, other.id, &none, &run, &e), 0);
        assert_int_equal(run, 2);
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

static void a_replayed_job_is_built(void **state)
{
        static const struct {
                const char *tenant_lane, *type, *body;
                struct replay_edit edit;
                enum err_code want;
                const char *want_type, *want_payload;
                enum lane want_lane;
        } rows[] = {
                {"acme.high", "t", "{}", {.priority = -1}, ERR_NONE, "t", "{}", LANE_HIGH},
                {"acme.long", "t", "{}", {.priority = 3}, ERR_NONE, "t", "{}", LANE_LONG},
                {"acme.high",
                 "t",
                 "{}",
                 {.type = "u", .priority = 0},
                 ERR_NONE,
                 "u",
                 "{}",
                 LANE_LOW},
                {"acme.high", "T", "{}", {.priority = -1}, ERR_INVALID, "", "", LANE_HIGH},
                {"acme.high",
                 "T",
                 "{}",
                 {.type = "u", .priority = -1},
                 ERR_NONE,
                 "u",
                 "{}",
                 LANE_HIGH},
                {"acme.high", "t", "{", {.priority = -1}, ERR_INVALID, "", "", LANE_HIGH},
                {"acme.high",
                 "t",
                 "{",
                 {.payload = {"[1]", 3}, .priority = -1},
                 ERR_NONE,
                 "t",
                 "[1]",
                 LANE_HIGH},
                {"acme.high",
                 "t",
                 "\"0123456789\"",
                 {.priority = -1},
                 ERR_INVALID,
                 "",
                 "",
                 LANE_HIGH},
        };
        struct place *p = *state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                __attribute__((cleanup(letter_content_fini))) struct letter_content c = {0};
                struct message m;
                struct letter l;
                struct job job;
                struct err e = {0};
                bury(p->archive, ID, rows[i].tenant_lane, rows[i].type, rows[i].body, &l);
                assert_int_equal(letters_content(p->archive, l.id, NULL, &c, &e), 0);
                int result = replay_job(&c, &rows[i].edit, 10, &m, &job, &e);
                assert_int_equal(e.code, rows[i].want);
                assert_int_equal(result, rows[i].want == ERR_NONE ? 0 : -1);
                if (result != 0)
                        continue;
                assert_string_equal(job.id, ID);
                assert_string_equal(job.tenant, "acme");
                assert_string_equal(job.type, rows[i].want_type);
                assert_true(bytes_equal_text(job.payload, rows[i].want_payload));
                assert_int_equal(job.lane, rows[i].want_lane);
                assert_int_equal(job.attempt, 0);
        }
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
        assert_int_equal(db_backup(p->path, p->copy, &e), -1); /* never over an old one */
        err_clear(&e);
        assert_int_equal(db_backup("/nonexistent/a", p->copy, &e), -1);
        assert_int_equal(e.code, ERR_SYSTEM);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_burial_is_kept_once, begin, end),
                cmocka_unit_test_setup_teardown(the_same_bytes_twice_are_two_burials, begin, end),
                cmocka_unit_test_setup_teardown(a_failed_batch_leaves_nothing, begin, end),
                cmocka_unit_test_setup_teardown(filters_select, begin, end),
                cmocka_unit_test_setup_teardown(pages_miss_nothing, begin, end),
                cmocka_unit_test_setup_teardown(groups_are_counted, begin, end),
                cmocka_unit_test_setup_teardown(a_letter_is_shown_as_it_came, begin, end),
                cmocka_unit_test_setup_teardown(a_replay_outlives_a_crash, begin, end),
                cmocka_unit_test_setup_teardown(an_abandoned_replay_is_a_dead_letter_again, begin,
                                                end),
                cmocka_unit_test_setup_teardown(each_replay_of_a_job_is_a_run_of_its_own, begin,
                                                end),
                cmocka_unit_test_setup_teardown(unroutable_letters_are_announced, begin, end),
                cmocka_unit_test_setup_teardown(a_replayed_job_is_built, begin, end),
                cmocka_unit_test_setup_teardown(a_backup_is_whole, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
