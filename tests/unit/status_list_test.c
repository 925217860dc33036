/* SPDX-License-Identifier: Apache-2.0
 *
 * status_list_test.c: the listing over many tenants, while jobs come and old ones are deleted.
 */
#include "tests/unit/status_rig.h"

#include <jansson.h>
#include <sqlite3.h>

#include "status-store/count.h"
#include "status-store/job_runs.h"
#include "status-store/list.h"
#include "status-store/list_walk.h"
#include "status-store/retention.h"

enum { TENANTS = 120, BORN = 1700000000 };

static struct job job_of(unsigned tenant, msec at)
{
        char id[UUID_SIZE];
        uuid7(id);
        struct job j = rig_job(id, at);
        snprintf(j.tenant, sizeof(j.tenant), "tenant-%u", tenant);
        snprintf(j.type, sizeof(j.type), "type%u", tenant % 3);
        return j;
}

/* Adds one pending, one running, one completed and one cancelled job to each tenant. */
static void fill(struct rig *r, msec at)
{
        for (unsigned t = 0; t < TENANTS; t++) {
                for (int s = 0; s < 4; s++) {
                        struct job j = job_of(t, at + (t * 7 + (unsigned)s * 13) % 50);
                        rig_submit(r, &j);
                        if (s == 1)
                                rig_tell(r, &j, EVENT_STARTED, 1, at + 60);
                        if (s == 2)
                                rig_tell(r, &j, EVENT_COMPLETED, 1, at + 60);
                        if (s == 3)
                                rig_tell(r, &j, EVENT_CANCELLED, 0, at + 60);
                }
        }
        rig_commit(r);
}

/* What a walk through the pages has seen. */
struct walk {
        struct list_query query;
        json_t *seen; /* ids */
        msec last;
        bool ended;
};

static void see(struct walk *w, const json_t *job)
{
        const char *id = json_string_value(json_object_get(job, "id"));
        msec created = 0;
        struct err e = {0};
        assert_null(json_object_get(w->seen, id)); /* no job is seen twice */
        json_object_set_new(w->seen, id, json_true());
        const char *text = json_string_value(json_object_get(job, "created_at"));
        assert_int_equal(time_parse(text, &created, &e), 0);
        if (w->last != 0)
                assert_true(w->query.after.ascending ? created >= w->last : created <= w->last);
        w->last = created;
}

static void next_page(struct walk *w, struct readers *readers)
{
        struct err e = {0};
        json_error_t fault;
        size_t at;
        json_t *job;
        AUTO_BUFFER out = {0};
        AUTO_READER *r = readers_take(readers, &e);
        buffer_add_char(&out, '{');
        if (list_write(r, &w->query, &out, &e) != 0)
                fail_msg("%s", e.text);
        buffer_add_char(&out, '}');
        json_t *page = json_loadb(out.data, out.length, 0, &fault);
        assert_non_null(page);
        json_array_foreach(json_object_get(page, "jobs"), at, job) see(w, job);
        const char *cursor = json_string_value(json_object_get(page, "next_cursor"));
        w->ended = cursor == NULL;
        if (cursor != NULL)
                assert_true(cursor_read(cursor, &w->query.after));
        json_decref(page);
}

static struct walk walk_of(const char *tenant, int status, const char *type, bool ascending)
{
        struct walk w = {.query = {.filter = {.tenant = tenant},
                                   .after = cursor_start(ascending),
                                   .limit = 37},
                         .seen = json_object()};
        if (status >= 0)
                w.query.filter.statuses = 1u << status;
        if (type != NULL) {
                w.query.filter.type_count = 1;
                snprintf(w.query.filter.types[0], JOB_TYPE_SIZE, "%s", type);
        }
        return w;
}

static void many_tenants_are_listed_once(void **state)
{
        static const struct {
                const char *tenant;
                int status;
                const char *type;
                size_t want;
        } table[] = {
                {"*", -1, NULL, 4 * TENANTS},
                {"*", STATUS_RUNNING, NULL, TENANTS},
                {"*", -1, "type1", 4 * TENANTS / 3},
                {"*", STATUS_DEAD, NULL, 0},
                {"*", -1, "unknown", 0},
                {"tenant-7", -1, NULL, 4},
                {"tenant-7", STATUS_COMPLETED, "type1", 1},
                {"nobody", -1, NULL, 0},
        };
        struct rig rig;
        struct err e = {0};
        (void)state;
        rig_open(&rig);
        fill(&rig, BORN * (msec)1000);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        for (size_t i = 0; i < 2 * COUNT(table); i++) {
                size_t row = i / 2;
                struct walk w =
                        walk_of(table[row].tenant, table[row].status, table[row].type, i % 2 == 1);
                while (!w.ended)
                        next_page(&w, readers);
                assert_int_equal(json_object_size(w.seen), table[row].want);
                json_decref(w.seen);
        }
        readers_destroy(&readers);
        rig_close(&rig);
}

/* The order is newest first: a job submitted during the walk is newer than every page still to
 * come. */
static void new_jobs_repeat_none(void **state)
{
        struct rig rig;
        struct err e = {0};
        msec at = BORN * (msec)1000;
        (void)state;
        rig_open(&rig);
        fill(&rig, at);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        struct walk w = walk_of("*", -1, NULL, false);
        for (unsigned n = 0; !w.ended; n++) {
                next_page(&w, readers);
                struct job j = job_of(n % TENANTS, at + 1000 + n);
                rig_submit(&rig, &j);
                rig_commit(&rig);
        }
        assert_int_equal(json_object_size(w.seen), 4 * TENANTS);
        json_decref(w.seen);
        readers_destroy(&readers);
        rig_close(&rig);
}

/* A statement costs kilobytes, and a listing merges as many sorted runs as tenants times states. */
static void a_listing_holds_few_statements(void **state)
{
        struct rig rig;
        struct err e = {0};
        sqlite3_int64 before = 0;
        sqlite3_int64 most = 0;
        sqlite3_int64 now = 0;
        (void)state;
        rig_open(&rig);
        fill(&rig, BORN * (msec)1000);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        struct walk w = walk_of("*", -1, NULL, false);
        next_page(&w, readers); /* fills the page cache */
        sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &before, &most, 1);
        next_page(&w, readers);
        sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &now, &most, 0);
        assert_true(most - before < 256 * 1024);
        json_decref(w.seen);
        readers_destroy(&readers);
        rig_close(&rig);
}

/* Published directly to the tenant's exchange: neither the id nor a header has to hold a time. */
static void publish(struct rig *r, const char *id, msec claim, const char *exchange)
{
        const bool dead = strcmp(exchange, "dead") == 0;
        struct message m = {.exchange = bytes_of_text(exchange),
                            .routing_key = bytes_of_text(dead ? "acme.medium" : "medium"),
                            .user_id = bytes_of_text("tenant-acme"),
                            .message_id = bytes_of_text(id),
                            .type = bytes_of_text("noop"),
                            .content_type = bytes_of_text("application/json"),
                            .timestamp = -1,
                            .delivery_mode = 2,
                            .body = bytes_of_text("{}")};
        if (claim != 0)
                message_add_int(&m, "x-submitted-at", claim);
        projection_fold(r->projection, &m, r->offset++);
}

static void tell_time(struct rig *r, msec at)
{
        struct job other = rig_job("01900000-0000-7000-8000-00000000000f", at);
        rig_tell(r, &other, EVENT_PROGRESS, 1, at);
}

static const char *const strangers[] = {
        "ac7df8a1-24b4-4f48-a2bf-0a8a2a0cc1d2", /* holds no time */
        "01900000-0000-7000-8000-000000000001",
        "ffffffff-ffff-7fff-8000-000000000001", /* the year 10889 */
};

static void retain(struct retention *retention, msec now)
{
        struct err e = {0};
        int more = 1;
        while (more == 1)
                more = retention_step(retention, now, &e);
        assert_int_equal(more, 0);
}

enum clock_told { BEFORE_IT, IN_ITS_BATCH, LATER, CLOCK_TOLD_COUNT };

static void see_it_go(enum clock_told when, const char *id, msec claim)
{
        static const struct retention_settings keep = {.keep_ended = MSEC_DAY,
                                                       .keep_dead = MSEC_DAY};
        static const char dead[] = "SELECT count(*) FROM jobs WHERE state = 5";
        const msec now = BORN * (msec)1000;
        struct rig rig;
        rig_open(&rig);
        AUTO(retention) retention = retention_create(rig.store, &keep);
        if (when == BEFORE_IT)
                tell_time(&rig, now);
        publish(&rig, id, claim, "jobs.acme");
        publish(&rig, id, claim, "dead"); /* buried by the broker */
        if (when == LATER) {
                rig_commit(&rig);
                retain(retention, now + 100 * (msec)MSEC_DAY);
                assert_int_equal(rig_number(&rig, dead), 1);
        }
        if (when != BEFORE_IT)
                tell_time(&rig, now);
        rig_commit(&rig);
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM jobs WHERE state = 5 AND created"
                                          " BETWEEN 1 AND 1700000000000 AND finished_at ="
                                          " 1700000000000"),
                         1);
        retain(retention, now + MSEC_DAY);
        assert_int_equal(rig_number(&rig, dead), 1);
        retain(retention, now + MSEC_DAY + 1);
        assert_int_equal(rig_number(&rig, dead), 0);
        retention_destroy(&retention);
        rig_close(&rig);
}

/* Whatever time a publisher claims, or none, a job counts as created no later than it came, and its
 * row stays after its end as long as any other. */
static void a_claimed_time_buys_nothing(void **state)
{
        static const msec claims[] = {0, 1, -1, BORN * (msec)1000, INT64_MAX};
        (void)state;
        for (int when = 0; when < CLOCK_TOLD_COUNT; when++)
                for (size_t i = 0; i < COUNT(claims) * COUNT(strangers); i++)
                        see_it_go((enum clock_told)when, strangers[i % COUNT(strangers)],
                                  claims[i / COUNT(strangers)]);
}

/* Jobs that ended long ago are deleted in steps, while others come and a reader goes page by
 * page. */
static void old_jobs_go_while_new_ones_come(void **state)
{
        static const struct retention_settings keep = {.keep_ended = MSEC_DAY,
                                                       .keep_dead = 7 * MSEC_DAY};
        enum { OLD_ROUNDS = 15 };
        struct rig rig;
        struct err e = {0};
        msec now = BORN * (msec)1000;
        size_t came = 0;
        (void)state;
        rig_open(&rig);
        for (int i = 0; i < OLD_ROUNDS; i++)
                fill(&rig, now - 2 * MSEC_DAY - i);
        fill(&rig, now);
        for (unsigned t = 0; t < TENANTS; t++) { /* ended recently, so they stay as well */
                struct job j = job_of(t, now - 2 * MSEC_DAY);
                rig_submit(&rig, &j);
                rig_tell(&rig, &j, EVENT_COMPLETED, 1, now);
        }
        rig_commit(&rig);
        /* pending and running: they stay at any age */
        size_t open = (OLD_ROUNDS + 1) * 2 * TENANTS;
        size_t ended = 3 * TENANTS;
        AUTO(retention) retention = retention_create(rig.store, &keep);
        AUTO(readers) readers = readers_create(rig.place.path, 1, &e);
        struct walk w = walk_of("*", -1, NULL, false);
        int more = 1;
        for (unsigned n = 0; more == 1 || !w.ended; n++) {
                if (more == 1)
                        more = retention_step(retention, now, &e);
                assert_true(more >= 0);
                if (!w.ended && n % 4 == 0)
                        next_page(&w, readers);
                struct job j = job_of(n % TENANTS, now + 1000 + n);
                rig_submit(&rig, &j);
                rig_commit(&rig);
                came++;
        }
        /* The walk has seen each job that stayed once, and some of the deleted ones. */
        assert_true(json_object_size(w.seen) >= open + ended);
        json_decref(w.seen);
        w = walk_of("*", -1, NULL, true);
        while (!w.ended)
                next_page(&w, readers);
        assert_int_equal(json_object_size(w.seen), open + ended + came);
        json_decref(w.seen);
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM jobs"), open + ended + came);
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM bodies"), open + ended + came);
        assert_int_equal(rig_number(&rig, "SELECT sum(n) FROM counts WHERE tenant = 0"),
                         open + ended + came);
        assert_int_equal(rig_number(&rig, "SELECT count(*) FROM counts WHERE n < 0"), 0);
        readers_destroy(&readers);
        retention_destroy(&retention);
        rig_close(&rig);
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
        const struct cursor start = cursor_start(true);
        AUTO(list_walk) walk = list_walk_create(r, f, &start, &e);
        struct walked_job job;
        size_t walked = 0;
        while (list_walk_next(walk, &job, &e) == 1)
                walked++;
        assert_int_equal(walked, want);
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
                cmocka_unit_test(many_tenants_are_listed_once),
                cmocka_unit_test(new_jobs_repeat_none),
                cmocka_unit_test(filters_agree_with_a_model),
                cmocka_unit_test(very_many_types_are_listed),
                cmocka_unit_test(runs_are_read_by_index_alone),
                cmocka_unit_test(a_search_ends_after_50000_rows),
                cmocka_unit_test(a_listing_holds_few_statements),
                cmocka_unit_test(old_jobs_go_while_new_ones_come),
                cmocka_unit_test(a_claimed_time_buys_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
