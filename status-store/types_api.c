/* SPDX-License-Identifier: Apache-2.0
 *
 * types_api.c: the routes of types' limits; only the primary serves them. A change is committed,
 * filled and published like a tenant's.
 */
#include "status-store/api.h"
#include "status-store/type_body.h"

static int add_type(void *owner, const struct type *t, struct err *e)
{
        (void)e;
        if (type_is_limited(t))
                json_array_append_new(owner, type_json(t));
        return 0;
}

void types_list(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct err why = {0};
        if (!api_is_primary(a, r))
                return;
        json_auto_t *list = json_array();
        if (registry_each_type(a->registry, WHICH_ALL, add_type, list, &why) == 0)
                http_answer_json(r, 200, json_pack("{s:O}", "types", list));
        else
                http_problem_err(r, &why);
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

void types_get(void *owner, struct http_request *r)
{
        struct api *a = owner;
        struct type t;
        if (api_is_primary(a, r) && read_limited(a, r, &t))
                http_answer_json(r, 200, json_pack("{s:o}", "type", type_json(&t)));
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
