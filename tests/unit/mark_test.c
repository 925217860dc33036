/* SPDX-License-Identifier: Apache-2.0
 *
 * mark_test.c: marks read and written, and which messages of a job are below one.
 */
#include "common/model/mark.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

#define ID "01902f5e-7b1a-7000-8000-000000000001"
#define OF_JOB "\"tenant\":\"acme\",\"id\":\"" ID "\",\"run\":1,\"attempt\":2"
#define REST "\"copy\":1806340153344001,\"why\":\"run_now\",\"at\":1764000000000}"
#define LATER ",\"at\":1764000000000}"
#define END "9007199254740992"

struct read {
        struct mark marks[MARK_LINES_MAX];
        size_t count;
        unsigned skipped;
};

static void keep(void *owner, const struct mark *m)
{
        struct read *r = owner;

        assert_true(r->count < MARK_LINES_MAX);
        r->marks[r->count++] = *m;
}

static int read_marks(const char *text, struct read *r)
{
        memset(r, 0, sizeof(*r));
        return marks_each(bytes_of_text(text), keep, r, &r->skipped);
}

static void marks_make_the_round_trip(void **state)
{
        static const struct {
                const char *text;
                enum mark_why want;
                bool want_end;
        } rows[] = {
                {"{" OF_JOB "," REST "\n", MARK_FOR_RUN_NOW, false},
                {"{\"tenant\":\"acme\",\"id\":\"" ID "\",\"run\":3,\"attempt\":" END
                 ",\"copy\":" END ",\"why\":\"cancel\",\"at\":1764000000000}\n",
                 MARK_FOR_CANCEL, true},
                {"{" OF_JOB ",\"copy\":5,\"why\":\"forget\",\"at\":1764000000000}\n",
                 MARK_FOR_FORGET, true},
                {"{" OF_JOB ",\"copy\":5,\"why\":\"retry\",\"at\":1764000000000}\n", MARK_FOR_RETRY,
                 false},
                {"{\"tenant\":\"acme\",\"type\":\"send_email\",\"before\":1764000000001,\"copy\":7,"
                 "\"why\":\"cancel\",\"at\":1764000000000}\n",
                 MARK_FOR_CANCEL, true},
                {"{\"before\":1764000000001,\"copy\":7,\"why\":\"cancel\",\"at\":1764000000000}\n",
                 MARK_FOR_CANCEL, true},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct read r;
                AUTO_BUFFER out = {0};
                assert_int_equal(read_marks(rows[i].text, &r), 0);
                assert_int_equal(r.count, 1);
                assert_int_equal(r.skipped, 0);
                assert_int_equal(r.marks[0].why, rows[i].want);
                assert_int_equal(mark_ends_the_job(&r.marks[0]), rows[i].want_end);
                mark_write(&r.marks[0], &out);
                assert_string_equal(out.data, rows[i].text);
        }
}

static void broken_lines_are_skipped(void **state)
{
        static const char *const rows[] = {
                "nonsense",
                "{" OF_JOB ",\"copy\":5,\"why\":\"cancel\"}",
                "{" OF_JOB ",\"copy\":5,\"why\":\"cancel\",\"at\":0}",
                "[]",
                "{}",
                "{" OF_JOB ",\"why\":\"cancel\"" LATER,
                "{" OF_JOB ",\"copy\":0,\"why\":\"cancel\"" LATER,
                "{" OF_JOB ",\"copy\":9007199254740993,\"why\":\"cancel\"" LATER,
                "{" OF_JOB ",\"copy\":5" LATER,
                "{" OF_JOB ",\"copy\":5,\"why\":5" LATER,
                "{\"id\":\"" ID "\",\"run\":1,\"attempt\":2,\"copy\":5,\"why\":\"cancel\"" LATER,
                "{\"tenant\":\"acme\",\"id\":\"" ID "\",\"copy\":5,\"why\":\"cancel\"" LATER,
                "{\"tenant\":\"acme\",\"id\":\"x\",\"run\":1,\"attempt\":2,\"copy\":5,\"why\":"
                "\"cancel\"" LATER,
                "{\"tenant\":\"Acme\",\"before\":5,\"copy\":5,\"why\":\"cancel\"" LATER,
                "{\"tenant\":\"acme\",\"copy\":5,\"why\":\"cancel\"" LATER,
                "{\"tenant\":\"acme\",\"type\":\"No\",\"before\":5,\"copy\":5,\"why\":"
                "\"cancel\"" LATER,
                "{\"tenant\":\"acme\",\"before\":5,\"copy\":5,\"why\":\"moon\"" LATER,
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                AUTO_BUFFER text = {0};
                struct read r;
                buffer_printf(&text, "%s\n{" OF_JOB "," REST "\n", rows[i]);
                print_message("%s\n", rows[i]);
                assert_int_equal(read_marks(text.data, &r), 0);
                assert_int_equal(r.skipped, 1);
                assert_int_equal(r.count, 1); /* the one behind it counts */
        }
}

static void a_word_of_a_later_version_is_a_move(void **state)
{
        struct read r;

        (void)state;
        assert_int_equal(
                read_marks("{" OF_JOB ",\"copy\":5,\"why\":\"moon\",\"odd\":[1]" LATER, &r), 0);
        assert_int_equal(r.count, 1);
        assert_int_equal(r.marks[0].why, MARK_FOR_OTHER);
        assert_false(mark_ends_the_job(&r.marks[0]));
}

static void a_message_has_a_bound(void **state)
{
        static const char line[] = "{" OF_JOB "," REST "\n";
        AUTO_BUFFER text = {0};
        struct read r = {0};

        (void)state;
        for (int i = 0; i < MARK_LINES_MAX; i++)
                buffer_add_text(&text, line);
        assert_int_equal(read_marks(text.data, &r), 0);
        assert_int_equal(r.count, MARK_LINES_MAX);
        buffer_add_text(&text, line);
        assert_int_equal(read_marks(text.data, &r), -1);
        assert_int_equal(r.count, 0);

        buffer_clear(&text);
        buffer_add_text(&text, line);
        while (text.length <= MARK_MESSAGE_MAX)
                buffer_add_char(&text, ' ');
        assert_int_equal(read_marks(text.data, &r), -1);
        assert_int_equal(read_marks("", &r), 0); /* a link's probe */
        assert_int_equal(r.count + r.skipped, 0);
}

/* By run, then attempt, then copy. */
static void what_is_below_a_mark_is_over(void **state)
{
        static const struct {
                struct mark_place message;
                bool want; /* of a mark (2, 3, 100) */
        } rows[] = {
                {{1, 9, 900}, true},  {{2, 2, 900}, true},  {{2, 3, 0}, true},  {{2, 3, 99}, true},
                {{2, 3, 100}, false}, {{2, 3, 101}, false}, {{2, 4, 0}, false}, {{3, 1, 0}, false},
        };
        const struct mark_place m = {2, 3, 100}, all = {2, JOB_COUNTER_MAX, JOB_COUNTER_MAX};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                assert_int_equal(mark_covers(m, rows[i].message), rows[i].want);
                assert_int_equal(mark_covers(all, rows[i].message), rows[i].message.run <= 2);
        }
}

static void a_bulk_mark_is_of_what_was_submitted_before(void **state)
{
        static const struct {
                const char *tenant, *type;
                msec submitted_at;
                int64_t copy;
                bool want[4]; /* (acme, export), (acme, any), (any, export), any */
        } rows[] = {
                {"acme", "export", 999, 0, {true, true, true, true}},
                {"acme", "export", 999, 49, {true, true, true, true}},
                {"acme", "export", 1000, 0, {false}},
                {"acme", "export", 0, 0, {false}},
                {"acme", "export", 999, 50, {false}},
                {"acme", "echo", 999, 0, {false, true, false, true}},
                {"beta", "export", 999, 0, {false, false, true, true}},
                {"beta", "echo", 999, 0, {false, false, false, true}},
        };
        static const struct mark marks[] = {
                {.tenant = "acme", .type = "export", .before = 1000, .copy = 50},
                {.tenant = "acme", .before = 1000, .copy = 50},
                {.type = "export", .before = 1000, .copy = 50},
                {.before = 1000, .copy = 50},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct job job = {.submitted_at = rows[i].submitted_at, .copy = rows[i].copy};
                snprintf(job.tenant, sizeof(job.tenant), "%s", rows[i].tenant);
                snprintf(job.type, sizeof(job.type), "%s", rows[i].type);
                for (size_t j = 0; j < COUNT(marks); j++)
                        assert_int_equal(mark_covers_bulk(&marks[j], &job), rows[i].want[j]);
        }
}

static void the_later_copy_has_the_higher_number(void **state)
{
        const msec now = 1764000000000;

        (void)state;
        for (uint64_t random = 0; random < 5000; random += 77) {
                int64_t copy = copy_number(now, random, 0);
                assert_true(copy > 0 && copy < JOB_COUNTER_MAX);
                assert_true(copy_number(now + 1, 0, 0) > copy);
                assert_int_equal(copy_number(now, random, copy), copy + 1);
                /* The clock was set back. */
                assert_int_equal(copy_number(now - MSEC_DAY, random, copy), copy + 1);
        }
        assert_true(copy_number(now, UINT64_MAX, 0) < copy_number(now + 1, 0, 0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(marks_make_the_round_trip),
                cmocka_unit_test(broken_lines_are_skipped),
                cmocka_unit_test(a_word_of_a_later_version_is_a_move),
                cmocka_unit_test(a_message_has_a_bound),
                cmocka_unit_test(what_is_below_a_mark_is_over),
                cmocka_unit_test(a_bulk_mark_is_of_what_was_submitted_before),
                cmocka_unit_test(the_later_copy_has_the_higher_number),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
