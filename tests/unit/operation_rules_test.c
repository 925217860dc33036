/* SPDX-License-Identifier: Apache-2.0
 *
 * operation_rules_test.c: filters of operations.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "common/model/mark.h"
#include "status-store/acts/operation_rules.h"

struct given {
        const char *name, *value;
};

static struct job_filter filter_of(const struct given *given)
{
        struct job_filter f = {.tenant = "acme"};
        struct err e = {0};
        for (; given->name != NULL; given++)
                if (job_filter_set(&f, given->name, given->value, &e) != 0)
                        fail_msg("%s", e.text);
        return f;
}
#define FILTER(...) filter_of((const struct given[]){__VA_ARGS__, {NULL, NULL}})
#define OPEN "scheduled,pending,running,failed"
#define TIME "2026-05-01T00:00:00.000Z"

static void what_is_refused(void **state)
{
        const struct {
                enum operation_kind kind;
                struct job_filter filter;
                const char *refused; /* a part; NULL: it is not */
        } rows[] = {
                {OPERATION_CANCEL, {.tenant = "acme"}, "a filter must be given"},
                {OPERATION_RUN_NOW, {.tenant = "*"}, "a filter must be given"},
                {OPERATION_CANCEL, {.tenant = "acme", .text = ""}, "a filter must be given"},
                {OPERATION_CANCEL, FILTER({"type", "echo"}, {"q", ""}), "q:"},
                {OPERATION_CANCEL, FILTER({"status", OPEN}), NULL},
                {OPERATION_CANCEL, FILTER({"status", "pending,dead"}), "can be cancelled"},
                {OPERATION_CANCEL, FILTER({"type", "echo"}), NULL},
                {OPERATION_CANCEL, FILTER({"q", "a"}), NULL},
                {OPERATION_CANCEL, FILTER({"created_before", TIME}), NULL},
                {OPERATION_RUN_NOW, FILTER({"status", "scheduled,failed"}), NULL},
                {OPERATION_RUN_NOW, FILTER({"status", "pending"}), "can be run now"},
                {OPERATION_RUN_NOW, FILTER({"priority", "high"}), NULL},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                const char *refused = operation_refuses(rows[i].kind, &rows[i].filter);
                if (rows[i].refused == NULL)
                        assert_null(refused);
                else
                        assert_non_null(strstr(refused, rows[i].refused));
        }
}

static void one_mark_covers_what_it_can_name(void **state)
{
        const struct {
                enum operation_kind kind;
                struct job_filter filter;
                bool want;
        } rows[] = {
                {OPERATION_CANCEL, FILTER({"type", "echo"}), true},
                {OPERATION_CANCEL, FILTER({"type", "echo,other"}), true},
                {OPERATION_CANCEL, FILTER({"status", OPEN}), true},
                {OPERATION_CANCEL, FILTER({"created_before", TIME}), true},
                {OPERATION_CANCEL, FILTER({"created_after", TIME}), false},
                {OPERATION_CANCEL, FILTER({"type", "echo"}, {"status", "pending"}), false},
                {OPERATION_CANCEL, FILTER({"type", "echo"}, {"priority", "low"}), false},
                {OPERATION_CANCEL, FILTER({"type", "echo"}, {"q", "a"}), false},
                {OPERATION_RUN_NOW, FILTER({"type", "echo"}), false},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct job_filter f = rows[i].filter;
                operation_complete(rows[i].kind, &f);
                assert_int_equal(operation_may_be_marked(rows[i].kind, &f), rows[i].want);
        }
}

static void a_filter_is_read_as_it_was_written(void **state)
{
        static const char query[] =
                "status=pending%2Cfailed&type=echo%2Cother&priority=low%2Ccritical&"
                "created_after=2026-05-01T00%3A00%3A00.000Z&"
                "created_before=2026-06-01T00%3A00%3A00.000Z&q=a%26b%3D%25%FF";
        const struct job_filter f =
                FILTER({"status", "failed,pending"}, {"type", "echo,other"},
                       {"priority", "critical,low"}, {"created_after", TIME},
                       {"created_before", "2026-06-01T00:00:00.000Z"}, {"q", "a&b=%\xff"});
        struct job_filter read = {.tenant = "acme"};
        AUTO_BUFFER wrote = {0};
        AUTO_BUFFER text = {0};
        struct err e = {0};
        (void)state;
        operation_filter_write(&f, &wrote);
        assert_string_equal(wrote.data, query);
        assert_int_equal(operation_filter_read(wrote.data, &read, &text, &e), 0);
        assert_string_equal(read.text, f.text);
        assert_string_equal(read.tenant, f.tenant);
        assert_int_equal(read.statuses, f.statuses);
        assert_int_equal(read.priorities, f.priorities);
        assert_int_equal(read.type_count, f.type_count);
        assert_string_equal(read.types[0], "echo");
        assert_string_equal(read.types[1], "other");
        assert_int_equal(read.created_after, f.created_after);
        assert_int_equal(read.created_before, f.created_before);
}

static void damage_is_found(void **state)
{
        static const char *const damaged[] = {"status",   "status=",   "=a",       "q=%",
                                              "q=%4",     "q=%zz",     "q=%00",    "colour=red",
                                              "status=x", "&status=x", "type=a b", "a&q=b"};
        (void)state;
        for (size_t i = 0; i < COUNT(damaged); i++) {
                struct job_filter f = {.tenant = "acme"};
                AUTO_BUFFER text = {0};
                struct err e = {0};
                assert_int_equal(operation_filter_read(damaged[i], &f, &text, &e), -1);
                assert_true(e.code == ERR_CORRUPT || e.code == ERR_INVALID);
        }
}

static void its_text_may_be_hidden(void **state)
{
        const struct job_filter f = FILTER({"type", "echo"}, {"q", "hunter2"});
        AUTO_BUFFER shown = {0};
        AUTO_BUFFER hidden = {0};
        (void)state;
        operation_filter_json(&f, false, &shown);
        operation_filter_json(&f, true, &hidden);
        assert_string_equal(shown.data, "\"filter\":{\"type\":\"echo\",\"q\":\"hunter2\"}");
        assert_string_equal(hidden.data, "\"filter\":{\"type\":\"echo\",\"q\":\"***\"}");
}

struct kept {
        struct mark all[4];
        size_t count;
};

static void keep(void *owner, const struct mark *m)
{
        struct kept *k = owner;
        k->all[k->count++] = *m;
}

static void there_is_a_mark_for_each_type(void **state)
{
        struct job_filter f = FILTER({"type", "echo,other"});
        struct kept k = {.count = 0};
        struct err e = {0};
        AUTO_BUFFER out = {0};
        unsigned skipped = 0;
        (void)state;
        f.created_before = 1700000000000;
        assert_int_equal(operation_write_marks(&f, 4096, 1700000000001, &out, &e), 0);
        assert_int_equal(marks_each(buffer_bytes(&out), keep, &k, &skipped), 0);
        assert_int_equal(k.count, 2);
        assert_string_equal(k.all[0].tenant, "acme");
        assert_string_equal(k.all[0].type, "echo");
        assert_string_equal(k.all[1].type, "other");
        assert_int_equal(k.all[1].before, 1700000000000);
        assert_int_equal(k.all[1].copy, 4096);
        assert_int_equal(k.all[1].why, MARK_FOR_CANCEL);
        assert_string_equal(k.all[1].id, "");
        buffer_clear(&out);
        f.type_count = 0;
        f.tenant = "*";
        assert_int_equal(operation_write_marks(&f, 4096, 1700000000001, &out, &e), 0);
        k.count = 0;
        assert_int_equal(marks_each(buffer_bytes(&out), keep, &k, &skipped), 0);
        assert_int_equal(k.count, 1);
        assert_string_equal(k.all[0].tenant, "");
        assert_string_equal(k.all[0].type, "");
        assert_int_equal(skipped, 0);
}

/* Consumers skip a mark without a time; the operation would say that it is done. */
static void marks_have_a_time(void **state)
{
        struct job_filter f = FILTER({"created_before", "0001-01-01T00:00:00Z"});
        AUTO_BUFFER out = {0};
        struct err e = {0};
        (void)state;
        assert_int_equal(f.created_before, 1);
        assert_int_equal(operation_write_marks(&f, 4096, 1, &out, &e), 0);
        buffer_clear(&out);
        f.created_before = 0;
        assert_int_equal(operation_write_marks(&f, 4096, 1, &out, &e), -1);
        f.created_before = -1;
        assert_int_equal(operation_write_marks(&f, 4096, 1, &out, &e), -1);
        assert_int_equal(e.code, ERR_CORRUPT);
        assert_int_equal(out.length, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_refused),
                cmocka_unit_test(one_mark_covers_what_it_can_name),
                cmocka_unit_test(a_filter_is_read_as_it_was_written),
                cmocka_unit_test(damage_is_found),
                cmocka_unit_test(its_text_may_be_hidden),
                cmocka_unit_test(there_is_a_mark_for_each_type),
                cmocka_unit_test(marks_have_a_time),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
