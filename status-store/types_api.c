/* SPDX-License-Identifier: Apache-2.0
 *
 * types_api.c: the routes of types; only the primary serves them. A change of limits is committed,
 * filled and published like a tenant's.
 */
#include <string.h>

#include "common/base/own.h"
#include "status-store/api.h"
#include "status-store/parked_counts.h"
#include "status-store/type_body.h"
#include "status-store/type_view.h"
#include "status-store/why/waiting.h"

enum { TYPES_MAX = 1000 }; /* a page */

/* What a request about types wants. */
struct asked {
        struct api *api;
        const char *tenant; /* or "*" */
        const char *after;  /* types after this name */
        struct type_scope scope;
        struct type_view *set;
        struct parked_counts parked;
};

static bool sees_all(const struct asked *q)
{
        return q->scope.tenant == TENANT_ALL;
}

/* Counts what is parked, before a reader is taken: the broker is asked. Then takes one, which the
 * caller gives back. */
static int begin_asked(struct asked *q, struct reader **reader, struct err *e)
{
        if (parked_counts_read(q->api, q->tenant, &q->parked, e) != 0)
                return -1;
        q->scope.reader = *reader = readers_take(q->api->readers, e);
        q->scope.now = clock_wall();
        q->scope.as_of = api_as_of(q->api);
        if (q->scope.reader == NULL)
                return -1;
        if (strcmp(q->tenant, "*") == 0)
                return 0;
        int64_t tenant = waiting_ref(q->scope.reader, q->tenant, e);
        q->scope.tenant = tenant == 0 ? -1 : tenant;
        return tenant < 0 ? -1 : 0;
}

static void forget_asked(struct asked *q)
{
        type_view_forget(&q->set);
        parked_counts_fini(&q->parked);
}

static int add_limited(void *owner, const struct type *t, struct err *e)
{
        struct asked *q = owner;
        (void)e;
        if (type_is_limited(t) && strcmp(t->record.name, q->after) > 0)
                (void)type_view_add(&q->set, t->record.name);
        return 0;
}

static void add_paused(void *owner, const struct pause_record *p)
{
        struct asked *q = owner;
        char tenant[TENANT_SIZE], type[JOB_TYPE_SIZE];
        if (p->paused && pause_key_parse(bytes_of_text(p->key), tenant, type) &&
            strcmp(type, q->after) > 0)
                (void)type_view_add(&q->set, type);
}

static int find_types(struct asked *q, int limit, struct err *e)
{
        if (type_view_find(&q->scope, q->after, limit, &q->set, e) != 0)
                return -1;
        if (!sees_all(q))
                return 0;
        control_each_pause(q->api->control, add_paused, q);
        if (type_view_find_handled(&q->scope, q->after, &q->set, e) != 0)
                return -1;
        return registry_each_type(q->api->registry, WHICH_ALL, add_limited, q, e);
}

/* The type's limits, and what is seen of it. New reference; NULL: failed. */
static json_t *describe(const struct asked *q, const struct type_view *v, struct err *e)
{
        struct type t;
        const char *tenant = sees_all(q) ? "" : q->tenant;
        bool paused = control_pause(q->api->control, tenant, v->name, NULL) != PAUSE_NONE;
        if (registry_type(q->api->registry, v->name, &t, e) < 0)
                return NULL;
        json_t *object = type_json(&t);
        type_view_write(v, &q->scope, object);
        (void)json_object_set_new(object, "paused", json_boolean(paused));
        int64_t jobs = parked_counts_of_type(&q->parked, q->tenant, v->name);
        (void)json_object_set_new(object, "parked", jobs < 0 ? json_null() : json_integer(jobs));
        return object;
}

static void answer_members(struct api *a, struct http_request *r, const json_t *members)
{
        AUTO_FREE char *text = json_dumps(members, JSON_COMPACT | JSON_PRESERVE_ORDER);
        AUTO_BUFFER out = {0};
        buffer_add(&out, text + 1, strlen(text) - 2);
        api_answer(a, r, &out);
}

static void note_pause(void *owner, const struct pause_record *p)
{
        const struct asked *q = owner;
        char tenant[TENANT_SIZE], type[JOB_TYPE_SIZE];
        if (p->paused && pause_key_parse(bytes_of_text(p->key), tenant, type) &&
            tenant[0] != '\0' && (sees_all(q) || strcmp(tenant, q->tenant) == 0))
                type_view_note_pause(q->set, type, tenant);
}

/* Adds the types of the set, in order. */
static int describe_all(struct asked *q, json_t *list, struct err *e)
{
        if (type_view_read(&q->scope, q->set, e) != 0)
                return -1;
        control_each_pause(q->api->control, note_pause, q);
        for (const struct type_view *v = q->set; v != NULL; v = v->hh.next) {
                json_t *object = describe(q, v, e);
                if (object == NULL)
                        return -1;
                (void)json_array_append_new(list, object);
        }
        return 0;
}

static json_t *next_cursor(const struct type_view *set, bool more)
{
        const struct type_view *last = set;
        while (last != NULL && last->hh.next != NULL)
                last = last->hh.next;
        return more ? json_string(last->name) : json_null();
}

void types_list(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "limit", "cursor", NULL};
        struct asked q = {.api = owner, .after = http_query(r, "cursor")};
        int limit = TYPES_MAX;
        struct err why = {0};
        if (!api_is_primary(q.api, r) || !http_query_only(r, allowed))
                return;
        q.tenant = api_tenant(r);
        if (q.tenant == NULL || !api_limit(r, TYPES_MAX, &limit))
                return;
        q.after = q.after != NULL ? q.after : "";
        json_auto_t *answer = json_pack("{s:[]}", "types");
        AUTO_READER *reader = NULL;
        bool found = begin_asked(&q, &reader, &why) == 0 && find_types(&q, limit + 1, &why) == 0;
        bool more = found && type_view_cut(&q.set, (size_t)limit);
        if (!found || describe_all(&q, json_object_get(answer, "types"), &why) != 0) {
                http_problem_err(r, &why);
        } else {
                (void)json_object_set_new(answer, "next_cursor", next_cursor(q.set, more));
                answer_members(q.api, r, answer);
        }
        forget_asked(&q);
}

/* Reads the type of the path. False: answered. */
static bool read_type(struct api *a, struct http_request *r, struct type *t)
{
        struct err why = {0};
        const char *name = http_param(r, "type");
        if (!job_type_is_valid(bytes_of_text(name))) {
                http_problem(r, 404, "%.80s is no name of a type", name);
                return false;
        }
        if (registry_type(a->registry, name, t, &why) >= 0)
                return true;
        http_problem_err(r, &why);
        return false;
}

static bool read_limited(struct api *a, struct http_request *r, struct type *t)
{
        if (!read_type(a, r, t))
                return false;
        if (type_is_limited(t))
                return true;
        http_problem(r, 404, "type %s has no limits", t->record.name);
        return false;
}

/* The only type of the set; a tenant knows those of its jobs. */
static bool is_known(const struct asked *q, const struct type *t, bool paused_for_all)
{
        const struct type_counts *hour = &q->set->hour;
        bool has_run = hour->count[TYPE_COMPLETED] + hour->count[TYPE_FAILED] > 0;
        if (q->set->jobs > 0 || has_run)
                return true;
        bool paused = paused_for_all || q->set->paused_for != NULL;
        return sees_all(q) && (q->set->is_named || type_is_limited(t) || paused);
}

void types_get(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", NULL};
        struct asked q = {.api = owner};
        struct type t;
        struct err why = {0};
        if (!api_is_primary(q.api, r) || !http_query_only(r, allowed))
                return;
        q.tenant = api_tenant(r);
        if (q.tenant == NULL || !read_type(q.api, r, &t))
                return;
        json_auto_t *list = json_array();
        AUTO_READER *reader = NULL;
        (void)type_view_add(&q.set, t.record.name);
        if (begin_asked(&q, &reader, &why) != 0 || describe_all(&q, list, &why) != 0) {
                http_problem_err(r, &why);
        } else if (!is_known(&q, &t,
                             json_is_true(json_object_get(json_array_get(list, 0), "paused")))) {
                http_problem(r, 404, "nothing is known of type %s", t.record.name);
        } else {
                json_auto_t *answer = json_pack("{s:O}", "type", json_array_get(list, 0));
                answer_members(q.api, r, answer);
        }
        forget_asked(&q);
}

static int change_type(struct api *a, struct type *t, struct err *e)
{
        if (registry_change_type(a->registry, t, e) != 0)
                return -1;
        return provisioning_apply_type(a->provisioning, t->record.name, e);
}

/* Answers with the type as it is once its tokens are there: with `status`; else with 202. */
static void answer_type(struct api *a, struct http_request *r, struct type *t, int status)
{
        struct err why = {0};
        status = api_await(a, RECORD_TYPE, t->record.name, status);
        if (registry_type(a->registry, t->record.name, t, &why) < 0)
                http_problem_err(r, &why);
        else
                http_answer_json(r, status, json_pack("{s:o}", "type", type_json(t)));
}

void types_patch(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct type t;
        struct scan_fault fault = {0};
        struct err why = {0};
        AUTO_CHANGE *changing = api_change_begin(a);
        if (!api_may_change(a, r) || !http_body_is_json(r) || !read_type(a, r, &t))
                return;
        bool was_limited = type_is_limited(&t);
        int refused = type_body_read(http_body(r), &t, &fault);
        if (refused != 0) {
                http_problem_at(r, refused, &fault);
        } else if (!was_limited && !type_is_limited(&t)) {
                http_answer_json(r, 200, json_pack("{s:o}", "type", type_json(&t)));
        } else if (change_type(a, &t, &why) != 0) {
                http_problem_err(r, &why);
        } else {
                api_change_end(&changing);
                answer_type(a, r, &t, 200);
        }
}

/* New tokens, for when those of the last versions were lost. */
void types_slots(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct type t;
        struct err why = {0};
        AUTO_CHANGE *changing = api_change_begin(a);
        if (!api_may_change(a, r) || !read_limited(a, r, &t))
                return;
        t.record.slots_version = t.record.rate_version = 0;
        if (change_type(a, &t, &why) != 0) {
                http_problem_err(r, &why);
                return;
        }
        api_change_end(&changing);
        answer_type(a, r, &t, 202);
}
