/* SPDX-License-Identifier: Apache-2.0
 *
 * status_filters_test.c: lists, walks and counts by any filter; which indexes they read; searches
 * for a text.
 */
#include "tests/unit/list_rig.h"

#include "status-store/jobs/count.h"
#include "status-store/jobs/job_runs.h"
#include "status-store/jobs/list_walk.h"

static void filters_are_read(void **state)
{
        static const struct {
                const char *name, *value, *want; /* NULL: it is accepted */
        } rows[] = {
                {"status", "pending,dead", NULL},
                {"priority", "low,3", NULL},
                {"type", "a,b,a", NULL},
                {"created_after", "2024-01-01T00:00:00Z", NULL},
                {"q", "", NULL},
                {"status", "pending,", "status: \"\" must be"},
                {"status", "dead,lost", "status: \"lost\" must be"},
                {"priority", "4", "priority: \"4\" must be"},
                {"type", "No Type", "type: \"No Type\" must be"},
                {"created_before", "today", "created_before: "},
                {"colour", "red", "colour: "},
        };
        struct job_filter f = {.tenant = "*"};
        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct err e = {0};
                int set = job_filter_set(&f, rows[i].name, rows[i].value, &e);
                assert_int_equal(set, rows[i].want == NULL ? 0 : -1);
                if (rows[i].want != NULL && strncmp(e.text, rows[i].want, strlen(rows[i].want)))
                        fail_msg("%s, not %s", e.text, rows[i].want);
        }
        assert_int_equal(f.priorities, 1u << PRIORITY_LOW | 1u << PRIORITY_CRITICAL);
        assert_int_equal(f.type_count, 2);
}

static void a_filter_has_at_most_32_types(void **state)
{
        struct job_filter f = {.tenant = "*"};
        struct err e = {0};
        char type[JOB_TYPE_SIZE];
        (void)state;
        for (unsigned i = 0; i <= FILTER_TYPES_MAX; i++) {
                snprintf(type, sizeof(type), "type%u", i);
                assert_int_equal(job_filter_set(&f, "type", type, &e),
                                 i < FILTER_TYPES_MAX ? 0 : -1);
        }
        assert_int_equal(f.type_count, FILTER_TYPES_MAX);
}

/* A job as a model of the table knows it. */
struct model {
        char id[UUID_SIZE];
        unsigned tenant, type, state, priority;
        msec created;
};
enum { MODELS = 300, FILTERS = 200 };

static unsigned below(unsigned limit)
{
        return (unsigned)(random() % limit);
}

static void set_priority(struct job *j, enum priority p)
{
        j->priority = p;
        j->lane = (enum lane)p;
}

static void make_model(struct rig *r, struct model *m, msec at)
{
        static const enum event_kind ends[] = {EVENT_STARTED, EVENT_COMPLETED, EVENT_CANCELLED};
        static const enum status states[] = {STATUS_PENDING, STATUS_RUNNING, STATUS_COMPLETED,
                                             STATUS_CANCELLED};
        unsigned which = below(4);
        *m = (struct model){.tenant = below(3),
                            .type = below(4),
                            .state = states[which],
                            .priority = below(PRIORITY_COUNT),
                            .created = at};
        struct job j = job_of(m->tenant, at);
        snprintf(j.type, sizeof(j.type), "type%u", m->type);
        set_priority(&j, (enum priority)m->priority);
        memcpy(m->id, j.id, sizeof(m->id));
        rig_submit(r, &j);
        if (which > 0)
                rig_tell(r, &j, ends[which - 1], which == 3 ? 0 : 1, at + 1);
}

static struct job_filter random_filter(char tenant[TENANT_SIZE], msec at)
{
        struct job_filter f = {.tenant = "*"};
        unsigned which = below(4);
        snprintf(tenant, TENANT_SIZE, "tenant-%u", which);
        if (which < 3)
                f.tenant = tenant;
        if (below(2) == 0)
                f.statuses = 1u << STATUS_PENDING | 1u << below(STATUS_COUNT);
        if (below(2) == 0)
                f.priorities = 1u << below(PRIORITY_COUNT) | 1u << below(PRIORITY_COUNT);
        unsigned types = below(3);
        for (unsigned i = 0; i < types; i++) /* type4 and type5 are unknown */
                snprintf(f.types[f.type_count++], JOB_TYPE_SIZE, "type%u", 3 * i + below(3));
        if (below(2) == 0)
                f.created_after = at + below(MODELS);
        if (below(2) == 0)
                f.created_before = at + below(MODELS);
        return f;
}

static bool model_matches(const struct job_filter *f, const struct model *m)
{
        char tenant[TENANT_SIZE];
        char type[JOB_TYPE_SIZE];
        bool typed = f->type_count == 0;
        snprintf(tenant, sizeof(tenant), "tenant-%u", m->tenant);
        snprintf(type, sizeof(type), "type%u", m->type);
        for (unsigned i = 0; i < f->type_count; i++)
                typed = typed || strcmp(f->types[i], type) == 0;
        return typed && (f->tenant[0] == '*' || strcmp(f->tenant, tenant) == 0) &&
               (f->statuses == 0 || (f->statuses >> m->state & 1) != 0) &&
               (f->priorities == 0 || (f->priorities >> m->priority & 1) != 0) &&
               (f->created_after == 0 || m->created > f->created_after) &&
               (f->created_before == 0 || m->created < f->created_before);
}

/* How many jobs a walk gives, begun again after each `rows` rows; 0: it goes through. */
static size_t walk_all(struct reader *r, const struct job_filter *f, int64_t rows)
{
        const struct walk_bounds bounds = {.rows = rows};
        struct walk_reach reach = {.at = cursor_start(true)};
        struct walked_job job;
        struct err e = {0};
        size_t walked = 0;
        while (!reach.complete) {
                AUTO(list_walk) walk = list_walk_create(r, f, &reach.at, &e);
                assert_non_null(walk);
                list_walk_bound(walk, &bounds);
                while (list_walk_next(walk, &job, &e) == 1)
                        walked++;
                list_walk_reach(walk, &reach);
                assert_true(rows == 0 ? reach.complete : reach.rows <= rows);
        }
        return walked;
}

/* Pages of a few jobs, a walk, and the count agree with the model, in both orders. */
static void compare(struct readers *readers, const struct job_filter *f, const struct model *all)
{
        struct err e = {0};
        int64_t count = 0;
        size_t want = 0;
        for (size_t i = 0; i < MODELS; i++)
                want += model_matches(f, &all[i]);
        for (int ascending = 0; ascending < 2; ascending++) {
                struct walk w = walk_of(f->tenant, -1, NULL, ascending == 1);
                w.query.filter = *f;
                w.query.limit = 7;
                while (!w.ended)
                        next_page(&w, readers);
                assert_int_equal(json_object_size(w.seen), want);
                for (size_t i = 0; i < MODELS; i++)
                        assert_int_equal(json_object_get(w.seen, all[i].id) != NULL,
                                         model_matches(f, &all[i]));
                json_decref(w.seen);
        }
        AUTO_READER *r = readers_take(readers, &e);
        assert_int_equal(count_jobs(r, f, &count, &e), 0);
        assert_int_equal(count, want);
        assert_int_equal(walk_all(r, f, 0), want);
        assert_int_equal(walk_all(r, f, 40), want);
}

static void filters_agree_with_a_model(void **state)
{
        static struct model all[MODELS];
        const msec at = BORN * (msec)1000;
        struct rig rig;
        struct err e = {0};
        (void)state;
        srandom(12);
        rig_open(&rig);
        for (unsigned i = 0; i < MODELS; i++)
                make_model(&rig, &all[i], at + i / 3); /* some at the same time */
        rig_commit(&rig);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        for (int i = 0; i < FILTERS; i++) {
                char tenant[TENANT_SIZE];
                const struct job_filter f = random_filter(tenant, at);
                compare(readers, &f, all);
        }
        readers_destroy(&readers);
        rig_close(&rig);
}

/* It is a bound like any other: 0 would be none. */
static void nothing_is_from_before_1970(void **state)
{
        static const char *const times[] = {"1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"};
        static struct model all[MODELS];
        struct rig rig;
        struct err e = {0};
        (void)state;
        rig_open(&rig);
        for (unsigned i = 0; i < MODELS; i++)
                make_model(&rig, &all[i], BORN * (msec)1000 + i);
        rig_commit(&rig);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        for (size_t i = 0; i < COUNT(times); i++) {
                struct job_filter before = {.tenant = "*"};
                struct job_filter after = {.tenant = "*"};
                assert_int_equal(job_filter_set(&before, "created_before", times[i], &e), 0);
                assert_int_equal(job_filter_set(&after, "created_after", times[i], &e), 0);
                assert_false(model_matches(&before, &all[0]));
                assert_true(model_matches(&after, &all[0]));
                compare(readers, &before, all);
                compare(readers, &after, all);
        }
        readers_destroy(&readers);
        rig_close(&rig);
}

/* A filter of more runs than RUNS_MAX looks at rows. */
static void very_many_types_are_listed(void **state)
{
        enum { TYPES = RUNS_MAX + 10 };
        struct rig rig;
        struct err e = {0};
        int64_t count = 0;
        (void)state;
        rig_open(&rig);
        for (unsigned i = 0; i < TYPES; i++) {
                struct job j = job_of(i % 2, BORN * (msec)1000 + i);
                snprintf(j.type, sizeof(j.type), "type%u", i);
                set_priority(&j, i % 100 == 0 ? PRIORITY_HIGH : PRIORITY_LOW);
                rig_submit(&rig, &j);
        }
        rig_commit(&rig);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        struct walk w = walk_of("*", -1, NULL, true);
        w.query.limit = 500;
        while (!w.ended)
                next_page(&w, readers);
        assert_int_equal(json_object_size(w.seen), TYPES);
        json_decref(w.seen);
        w = walk_of("*", STATUS_PENDING, NULL, false);
        w.query.filter.priorities = 1u << PRIORITY_HIGH;
        while (!w.ended)
                next_page(&w, readers);
        assert_int_equal(json_object_size(w.seen), TYPES / 100 + 1);
        json_decref(w.seen);
        AUTO_READER *r = readers_take(readers, &e);
        const struct job_filter all = {.tenant = "*"};
        assert_int_equal(count_jobs(r, &all, &count, &e), 0);
        assert_int_equal(count, TYPES);
        const struct job_filter none = {.tenant = "nobody", .created_after = 1};
        assert_int_equal(count_jobs(r, &none, &count, &e), 0);
        assert_int_equal(count, 0);
        readers_give(&r);
        readers_destroy(&readers);
        rig_close(&rig);
}

/* The member of a page's `search`; 0 also when there is none. */
static int64_t searched(const char *page, const char *name)
{
        AUTO_FREE char *wanted = xasprintf("\"%s\":", name);
        const char *search = strstr(page, "\"search\":");
        const char *at = search == NULL ? NULL : strstr(search, wanted);
        return at == NULL ? 0 : strtoll(at + strlen(wanted), NULL, 10);
}

/* A count says at most COUNT_MAX, and that there are more; with a time also. */
static void a_count_ends_at_10000(void **state)
{
        static const char *const wanted[] = {"\"count\":9999,\"count_is_capped\":false",
                                             "\"count\":10000,\"count_is_capped\":false",
                                             "\"count\":10000,\"count_is_capped\":true"};
        const msec at = BORN * (msec)1000;
        struct rig rig;
        struct err e = {0};
        (void)state;
        rig_open(&rig);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        for (unsigned i = 0; i <= COUNT_MAX; i++) {
                struct job j = job_of(0, at + i);
                rig_submit(&rig, &j);
                if (i + 2 < COUNT_MAX)
                        continue;
                rig_commit(&rig);
                for (int timed = 0; timed < 2; timed++) {
                        const struct job_filter f = {.tenant = "tenant-0",
                                                     .created_after = timed ? at - 1 : 0};
                        AUTO_BUFFER out = {0};
                        AUTO_READER *r = readers_take(readers, &e);
                        assert_int_equal(count_write(r, &f, &out, &e), 0);
                        buffer_add_char(&out, '\0');
                        assert_non_null(strstr(out.data, wanted[i + 2 - COUNT_MAX]));
                }
        }
        readers_destroy(&readers);
        rig_close(&rig);
}

static void a_search_ends_after_50000_rows(void **state)
{
        enum { SEARCHED = 50000, MORE = 10 };
        struct rig rig;
        struct err e = {0};
        (void)state;
        rig_open(&rig);
        for (unsigned i = 0; i < SEARCHED + MORE; i++) {
                struct job j = job_of(i % 2, BORN * (msec)1000 + i);
                rig_submit(&rig, &j);
                if (i % 1000 == 0)
                        rig_commit(&rig);
        }
        rig_commit(&rig);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        AUTO_READER *r = readers_take(readers, &e);
        struct list_query q = {.filter = {.tenant = "*", .text = "nothing has it"},
                               .after = cursor_start(false),
                               .limit = 1};
        int64_t seen = 0;
        for (bool complete = false; !complete;) {
                AUTO_BUFFER out = {0};
                assert_int_equal(list_write(r, &q, &out, &e), 0);
                assert_non_null(strstr(out.data, "\"jobs\":[]"));
                assert_true(searched(out.data, "jobs") <= SEARCHED);
                seen += searched(out.data, "jobs");
                complete = strstr(out.data, "\"complete\":true") != NULL;
                const char *cursor = strstr(out.data, "\"next_cursor\":\"");
                assert_int_equal(cursor == NULL, complete);
                char text[CURSOR_SIZE];
                if (cursor == NULL)
                        continue;
                snprintf(text, sizeof(text), "%s", cursor + strlen("\"next_cursor\":\""));
                assert_true(cursor_read(text, &q.after));
        }
        assert_int_equal(seen, SEARCHED + MORE);
        readers_give(&r);
        readers_destroy(&readers);
        rig_close(&rig);
}

static void check_plan(struct rig *r, sqlite3_stmt *query)
{
        struct err e = {0};
        AUTO_FREE char *sql = xasprintf("EXPLAIN QUERY PLAN %s", sqlite3_sql(query));
        AUTO_STATEMENT *plan = db_prepare(database_handle(store_database(r->store)), sql, &e);
        while (db_step(plan, &e) == 1) {
                const char *step = (const char *)sqlite3_column_text(plan, 3);
                if (strstr(step, "SCAN jobs") != NULL || strstr(step, "TEMP B-TREE") != NULL)
                        fail_msg("%s: %s", sql, step);
                /* The range is part of the seek, and no row is read. */
                if (strstr(step, "SEARCH jobs") != NULL &&
                    (strstr(step, "COVERING INDEX") == NULL || strstr(step, "created") == NULL))
                        fail_msg("%s: %s", sql, step);
        }
        db_reset_(&query);
}

static void runs_are_read_by_index_alone(void **state)
{
        struct rig rig;
        struct err e = {0};
        (void)state;
        rig_open(&rig);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        AUTO_READER *r = readers_take(readers, &e);
        const struct job_run run = {.tenant = 1};
        for (int kind = RUN_OF_TENANT; kind <= RUN_OF_STATE; kind++) {
                for (int up = 0; up < 2; up++) {
                        const struct run_part part = {.after = cursor_start(up == 1), .limit = 1};
                        check_plan(&rig, job_run_query(r, (enum run_kind)kind, &run, &part, &e));
                        check_plan(&rig, job_run_count(r, (enum run_kind)kind, &run, &part, &e));
                }
        }
        readers_give(&r);
        readers_destroy(&readers);
        rig_close(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(filters_are_read),
                cmocka_unit_test(a_filter_has_at_most_32_types),
                cmocka_unit_test(filters_agree_with_a_model),
                cmocka_unit_test(nothing_is_from_before_1970),
                cmocka_unit_test(very_many_types_are_listed),
                cmocka_unit_test(a_count_ends_at_10000),
                cmocka_unit_test(runs_are_read_by_index_alone),
                cmocka_unit_test(a_search_ends_after_50000_rows),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
