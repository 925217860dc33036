/* SPDX-License-Identifier: Apache-2.0
 *
 * counts_api.c: GET /stats, GET /counts, GET /stats/timeseries, POST /deliveries/check and
 * /types/check of the internal API.
 */

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/model/job_members.h"
#include "status-store/acts/registry_acts.h"
#include "status-store/api.h"
#include "status-store/jobs/lookup.h"
#include "status-store/stats.h"
#include "status-store/timeseries.h"
#include "status-store/why/handled.h"

enum {
        DELIVERIES_MAX = 256,
        TYPES_MAX = 256,
        QUESTION_DEPTH = 4,
        MARKER_WAIT = 1000, /* ms; the consumer waits 1.5 s for the answer */
};

static int write_stats(struct reader *r, const char *tenant, msec as_of, struct buffer *out,
                       struct err *e)
{
        if (stats_write(r, tenant, clock_wall(), out, e) != 0)
                return -1;
        return unhandled_write(r, tenant, as_of, out, e);
}

void stats_get(void *owner, struct http_request *r)
{
        api_answer_tenant(owner, r, write_stats);
}

static int write_counts(struct reader *r, const char *tenant, msec as_of, struct buffer *out,
                        struct err *e)
{
        (void)as_of;
        return counts_write(r, tenant, out, e);
}

void counts_get(void *owner, struct http_request *r)
{
        api_answer_tenant(owner, r, write_counts);
}

void stats_timeseries(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "minutes", "step", NULL};
        struct api *a = owner;
        struct timeseries t = {.minutes = 60, .step = 1, .now = clock_wall()};
        struct err why = {0};
        AUTO_BUFFER members = {0};
        if (!http_query_only(r, allowed))
                return;
        t.tenant = api_tenant(r);
        if (t.tenant == NULL || !api_number(r, "minutes", TIMESERIES_MINUTES_MAX, &t.minutes) ||
            !api_number(r, "step", TIMESERIES_MINUTES_MAX, &t.step))
                return;
        if (!timeseries_step_is_valid(t.step)) {
                http_problem(r, 400, "step: must be 1, 2, 5, 10, 15, 30 or 60");
                return;
        }
        AUTO_READER *reader = readers_take(a->readers, &why);
        if (reader == NULL || timeseries_write(reader, &t, &members, &why) != 0)
                http_problem_err(r, &why);
        else
                api_answer(a, r, &members);
}

/* A question being answered: the reader's owner. */
struct question {
        struct api *api;
        struct reader *reader;
        bool behind; /* the projection has not reached the marker */
        msec as_of;
        struct buffer answer; /* its members */
        struct handled_type *types;
        struct err why; /* why it cannot be answered */
};

static void question_fini(struct question *q)
{
        readers_give(&q->reader);
        handled_forget(&q->types);
        buffer_fini(&q->answer);
}
#define AUTO_QUESTION __attribute__((cleanup(question_fini))) struct question

/* clang-format off */
#define ASKED(field, fn, ...) \
        {#field, fn, JSON_AT(struct delivery_asked, field), .flags = JSON_REQUIRED, __VA_ARGS__}
#define FROM(low) .least = (low), .most = JOB_COUNTER_MAX

static const struct json_member delivery_members[] = {
        ASKED(tenant, job_read_tenant),
        ASKED(id, json_read_uuid),
        ASKED(run, json_read_int, FROM(1)),
        ASKED(attempt, json_read_int, FROM(1)),
        ASKED(copy, json_read_int, FROM(0)),
        {0},
};
/* clang-format on */

static int answer_delivery(struct json_reader *r, const struct json_place *p, void *out)
{
        struct question *q = out;
        struct delivery_asked d = {0};
        if (p->index == DELIVERIES_MAX)
                return json_refuse(r, p->up, "must have at most %d elements", DELIVERIES_MAX);
        if (json_read_members(r, p, delivery_members, &d) != 0)
                return -1;
        if (!q->behind && q->api->registry != NULL &&
            registry_moved(q->api->registry, &d, &q->why) != 0)
                return -1;
        if (!q->behind)
                return lookup_write_delivery(q->reader, &d, q->as_of, &q->answer, &q->why);
        json_begin_object(&q->answer, NULL);
        json_put_string(&q->answer, "state", "behind");
        json_end(&q->answer);
        return 0;
}

static int open_reader(struct question *q)
{
        q->reader = readers_take(q->api->readers, &q->why);
        q->as_of = api_as_of(q->api);
        return q->reader == NULL ? -1 : 0;
}

/* Waits for the marker. A caller that gives none gets the current state. */
static int await_marker(struct json_reader *r, const struct json_place *p, void *out)
{
        struct question *q = out;
        char id[UUID_SIZE];
        if (json_read_uuid(r, p, id) != 0)
                return -1;
        q->behind = !markers_await(q->api->markers, id, clock_mono() + MARKER_WAIT);
        return 0;
}

static int answer_deliveries(struct json_reader *r, const struct json_place *p, void *out)
{
        struct question *q = out;
        if (json_read_is(r, p, SCAN_ARRAY) != 0 || open_reader(q) != 0)
                return -1;
        json_begin_array(&q->answer, "deliveries");
        int failed = json_read_each(r, p, answer_delivery, q);
        json_end_array(&q->answer);
        /* Only the primary knows of acts on jobs whose rows are gone. */
        json_put_flag(&q->answer, "primary", q->api->registry != NULL);
        return failed;
}

static int add_type(struct json_reader *r, const struct json_place *p, void *out)
{
        struct question *q = out;
        char type[JOB_TYPE_SIZE];
        if (p->index == TYPES_MAX)
                return json_refuse(r, p->up, "must have at most %d elements", TYPES_MAX);
        if (job_read_type(r, p, type) != 0)
                return -1;
        handled_add(&q->types, type);
        return 0;
}

/* The type was checked when it was added. */
static int answer_type(struct json_reader *r, const struct json_place *p, void *out)
{
        struct question *q = out;
        struct handled_type *t = NULL;
        char type[JOB_TYPE_SIZE] = "";
        (void)r;
        (void)json_copy_text(p->value, type, sizeof(type));
        HASH_FIND_STR(q->types, type, t);
        json_begin_object(&q->answer, NULL);
        json_put_string(&q->answer, "type", type);
        json_put_int(&q->answer, "workers", t == NULL ? 0 : t->workers);
        json_end(&q->answer);
        return 0;
}

/* In the order of the question. */
static int answer_types(struct json_reader *r, const struct json_place *p, void *out)
{
        struct question *q = out;
        if (json_read_list(r, p, q) != 0 || open_reader(q) != 0 ||
            handled_count(q->reader, q->as_of, q->types, &q->why) != 0)
                return -1;
        json_begin_array(&q->answer, "types");
        int failed = json_read_each(r, p, answer_type, q);
        json_end_array(&q->answer);
        return failed;
}

/* The order matters: the marker is awaited before anything is looked up. */
static const struct json_member deliveries_members[] = {
        {"marker", await_marker, .offset = 0},
        {"deliveries", answer_deliveries, .flags = JSON_REQUIRED},
        {0},
};

static const struct json_member types_members[] = {
        {"types", answer_types, .each = add_type, .flags = JSON_REQUIRED},
        {0},
};

/* Unknown members are ignored: a later version of the caller may add some. */
static void answer_question(struct api *a, struct http_request *r,
                            const struct json_member *members)
{
        AUTO_QUESTION q = {.api = a};
        struct scan_fault fault;
        struct json_reader reader = {.fault = &fault, .lenient = true};
        struct json_place root;
        if (!http_body_is_json(r))
                return;
        if (json_read_open(&reader, http_body(r), QUESTION_DEPTH, &root) != 0 ||
            json_read_is(&reader, &root, SCAN_OBJECT) != 0)
                http_problem_at(r, 400, &fault);
        else if (json_read_members(&reader, &root, members, &q) == 0)
                api_answer(a, r, &q.answer);
        else if (err_is_set(&q.why))
                http_problem_err(r, &q.why);
        else
                http_problem_at(r, 422, &fault);
}

void deliveries_check(void *owner, struct http_request *r)
{
        answer_question(owner, r, deliveries_members);
}

void types_check(void *owner, struct http_request *r)
{
        answer_question(owner, r, types_members);
}
