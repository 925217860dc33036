/* SPDX-License-Identifier: Apache-2.0
 *
 * operations_api.c: the routes of operations on many jobs: previews, starts by token, progress,
 * abort. Only the primary serves them.
 */
#include "status-store/acts/operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/mask_param.h"
#include "common/http/problem.h"
#include "status-store/acts/operation_json.h"
#include "status-store/api.h"

#define CURRENT_WAIT ((msec)4 * MSEC_SECOND) /* for the projection, before a preview */
enum { LIST_DEFAULT = 50 };

struct answer {
        int status;
        bool hides;                       /* the text of the filter */
        const struct acts_behind *behind; /* NULL: no bulk mark was published */
};

static void answer_one(struct api *a, struct http_request *r, const struct operation *o,
                       const struct answer *how)
{
        char waiting[OPERATION_ERROR_SIZE];
        AUTO_BUFFER out = {0};
        operations_waiting(a->operations, o->id, waiting);
        if (how->status == 202)
                http_add_header(r, "Location", "/internal/v1/operations/%s", o->id);
        json_begin(&out);
        operation_json(o, "operation", waiting, how->hides, &out);
        if (how->behind != NULL)
                operation_behind_json(how->behind, &out);
        json_end(&out);
        http_answer(r, how->status, "application/json", buffer_bytes(&out));
}

static void refuse_unknown(struct http_request *r)
{
        http_problem(r, 404, "there is no such operation");
}

static void refuse_full(struct http_request *r, const char *what)
{
        http_add_header(r, "Retry-After", "10");
        http_problem(r, 429, "too many %s at once", what);
}

/* Finds what was started. False: answered. */
static bool find(struct api *a, struct http_request *r, const char *tenant, const char *id,
                 struct operation *out)
{
        struct err why = {0};
        int found = registry_operation(a->registry, tenant, id, out, &why);
        if (found < 0)
                http_problem_err(r, &why);
        else if (found == 0 || out->state == OPERATION_PREVIEWED)
                refuse_unknown(r);
        return found == 1 && out->state != OPERATION_PREVIEWED;
}

/* So that what was confirmed before is counted. False: answered. */
static bool is_current(struct api *a, struct http_request *r)
{
        struct err why = {0};
        int current = acts_become_current(a->acts, clock_mono() + CURRENT_WAIT, &why);
        if (current == 0)
                http_problem_of(r, &(struct problem){.status = 503,
                                                     .type = "urn:warren:problem:status-behind",
                                                     .detail = "the status is behind the events: "
                                                               "try again"});
        else if (current < 0)
                http_problem_err(r, &why);
        return current == 1;
}

static void fill_preview(struct operation *o, struct http_request *r, struct job_filter *f)
{
        AUTO_BUFFER filter = {0};
        uuid7(o->id);
        o->at = o->before = clock_wall();
        o->bulk = operation_may_be_marked(o->kind, f) ? BULK_WANTED : BULK_NONE;
        snprintf(o->tenant, sizeof(o->tenant), "%s", f->tenant);
        api_by(r, o->by);
        operation_filter_write(f, &filter);
        o->filter = buffer_take(&filter);
        if (f->created_before == 0 || f->created_before > o->before)
                f->created_before = o->before;
}

static int look(struct api *a, const struct job_filter *f, struct operation_preview *out,
                struct err *e)
{
        AUTO_READER *reader = readers_take(a->readers, e);
        return reader != NULL ? operation_preview(reader, f, out, e) : -1;
}

/* The filter is complete. */
static void preview(struct api *a, struct http_request *r, enum operation_kind kind,
                    struct job_filter *f)
{
        AUTO_OPERATION o = {.kind = kind};
        struct operation_preview p = {.count = 0};
        AUTO_BUFFER out = {0};
        struct err why = {0};
        if (!is_current(a, r))
                return;
        fill_preview(&o, r, f);
        int done = look(a, f, &p, &why);
        o.expected = p.count;
        o.more = !p.reach.complete;
        o.seq_max = p.seq_max;
        if (done == 0)
                done = registry_add_operation(a->registry, &o, &why);
        if (done != 0 && why.code == ERR_FULL) {
                refuse_full(r, "previews");
        } else if (done != 0) {
                http_problem_err(r, &why);
        } else {
                operation_preview_json(&o, &p, &out);
                http_answer(r, 200, "application/json", buffer_bytes(&out));
        }
}

static void start(struct api *a, struct http_request *r, enum operation_kind kind,
                  const char *token)
{
        AUTO_OPERATION o = {.filter = NULL};
        AUTO_OPERATION started = {.filter = NULL};
        struct acts_behind behind;
        enum operation_start outcome = START_UNKNOWN;
        struct err why = {0};
        const char *tenant = api_tenant(r);
        if (tenant == NULL)
                return;
        int found = registry_operation(a->registry, tenant, token, &o, &why);
        if (found == 1 && o.kind == kind)
                found = operations_start(a->operations, &o, &outcome, &behind, &why);
        bool begins = outcome == START_DONE;
        if (found < 0)
                http_problem_err(r, &why);
        else if (outcome == START_FULL)
                refuse_full(r, "operations");
        else if (outcome == START_UNKNOWN)
                http_problem(r, 404, "there is no such preview, or it is older than 10 minutes");
        else if (find(a, r, tenant, token, &started))
                answer_one(a, r, &started,
                           &(struct answer){.status = begins ? 202 : 200,
                                            .behind = begins && started.bulk != BULK_NONE ? &behind
                                                                                          : NULL});
}

/* False: answered. */
static bool read_filter(struct http_request *r, enum operation_kind kind, struct job_filter *f)
{
        static const char *const allowed[] = {"tenant",        "status",         "type", "priority",
                                              "created_after", "created_before", "q",    NULL};
        if (!http_query_only(r, allowed) || !api_filter(r, f))
                return false;
        const char *refused = operation_refuses(kind, f);
        if (refused != NULL)
                http_problem(r, 422, "%s", refused);
        operation_complete(kind, f);
        return refused == NULL;
}

static void preview_or_start(struct api *a, struct http_request *r, enum operation_kind kind)
{
        static const char *const no_filter[] = {"tenant", NULL};
        char token[UUID_SIZE];
        struct job_filter filter;
        struct scan_fault fault = {0};
        if (!api_is_primary(a, r) || (http_body(r).length > 0 && !http_body_is_json(r)))
                return;
        int refused = operation_body_read(http_body(r), token, &fault);
        if (refused != 0) {
                http_problem_at(r, refused, &fault);
                return;
        }
        if (token[0] != '\0') {
                if (http_query_only(r, no_filter))
                        start(a, r, kind, token);
                return;
        }
        if (!read_filter(r, kind, &filter))
                return;
        AUTO_PLACE place = {.of = NULL};
        if (api_take_place(a->searches, filter.tenant, r, &place))
                preview(a, r, kind, &filter);
}

void operations_cancel(void *owner, struct http_request *r)
{
        preview_or_start(owner, r, OPERATION_CANCEL);
}

void operations_run_now(void *owner, struct http_request *r)
{
        preview_or_start(owner, r, OPERATION_RUN_NOW);
}

/* Previews are not listed: their tokens are for who made them. */
static bool read_states(struct http_request *r, unsigned *out)
{
        const char *text = http_query(r, "state");
        enum operation_state state = OPERATION_PREVIEWED;
        *out = (1u << OPERATION_STATES) - 1 - (1u << OPERATION_PREVIEWED);
        if (text == NULL)
                return true;
        if (operation_state_parse(bytes_of_text(text), &state) && state != OPERATION_PREVIEWED) {
                *out = 1u << state;
                return true;
        }
        http_problem(r, 400, "state: must be running, done, aborted or failed");
        return false;
}

/* id: holds what asked->older_than points to. */
static bool read_page(struct http_request *r, struct operations_asked *asked, char id[UUID_SIZE])
{
        const char *cursor = http_query(r, "cursor");
        int limit = LIST_DEFAULT;
        if (!api_limit(r, OPERATIONS_LISTED_MAX, &limit))
                return false;
        asked->limit = (size_t)limit;
        if (cursor == NULL)
                return true;
        asked->older_than = id;
        if (uuid_parse(bytes_of_text(cursor), id))
                return true;
        http_problem(r, 400, "cursor: not a next_cursor of this list");
        return false;
}

static void write_list(struct api *a, struct operation *all, size_t count, bool hides,
                       struct buffer *out)
{
        char waiting[OPERATION_ERROR_SIZE];
        json_begin_array(out, "operations");
        for (size_t i = 0; i < count; i++) {
                operations_waiting(a->operations, all[i].id, waiting);
                operation_json(&all[i], NULL, waiting, hides, out);
        }
        json_end_array(out);
}

static void answer_list(struct api *a, struct http_request *r, const struct operations_asked *asked,
                        bool hides)
{
        AUTO_FREE struct operation *all = xcalloc(asked->limit, sizeof(*all));
        AUTO_BUFFER out = {0};
        struct err why = {0};
        int count = registry_operations(a->registry, asked, all, &why);
        if (count < 0) {
                http_problem_err(r, &why);
                return;
        }
        bool more = (size_t)count == asked->limit;
        json_begin(&out);
        write_list(a, all, (size_t)count, hides, &out);
        json_put_string(&out, "next_cursor", more ? all[count - 1].id : NULL);
        json_end(&out);
        http_answer(r, 200, "application/json", buffer_bytes(&out));
        for (int i = 0; i < count; i++)
                operation_fini(&all[i]);
}

void operations_list(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "state", "limit", "cursor", "mask", NULL};
        struct api *a = owner;
        char id[UUID_SIZE];
        struct mask_words mask;
        struct operations_asked asked = {.tenant = NULL};
        if (!api_is_primary(a, r) || !http_query_only(r, allowed) || !mask_param_read(r, &mask))
                return;
        asked.tenant = api_tenant(r);
        if (asked.tenant != NULL && read_states(r, &asked.states) && read_page(r, &asked, id))
                answer_list(a, r, &asked, mask.count > 0);
}

/* The operation of the path. NULL: answered. */
static const char *read_id(struct api *a, struct http_request *r, const char *const *allowed,
                           char id[UUID_SIZE])
{
        if (!api_is_primary(a, r) || !http_query_only(r, allowed))
                return NULL;
        const char *tenant = api_tenant(r);
        if (tenant == NULL)
                return NULL;
        if (uuid_parse(bytes_of_text(http_param(r, "id")), id))
                return tenant;
        refuse_unknown(r);
        return NULL;
}

void operations_get(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", "mask", NULL};
        AUTO_OPERATION o = {.filter = NULL};
        char id[UUID_SIZE];
        struct mask_words mask;
        const char *tenant = read_id(owner, r, allowed, id);
        if (tenant != NULL && mask_param_read(r, &mask) && find(owner, r, tenant, id, &o))
                answer_one(owner, r, &o, &(struct answer){.status = 200, .hides = mask.count > 0});
}

static void refuse_abort(struct http_request *r, enum operation_abort outcome)
{
        bool ended = outcome == ABORT_ENDED;
        if (outcome == ABORT_UNKNOWN)
                refuse_unknown(r);
        else
                http_problem_of(r, &(struct problem){
                                           .status = 409,
                                           .type = ended ? "urn:warren:problem:operation-ended"
                                                         : "urn:warren:problem:cannot-be-undone",
                                           .detail = ended ? "the operation has ended"
                                                           : "one mark has cancelled all its jobs "
                                                             "already"});
}

void operations_abort(void *owner, struct http_request *r)
{
        static const char *const allowed[] = {"tenant", NULL};
        struct api *a = owner;
        AUTO_OPERATION o = {.filter = NULL};
        char id[UUID_SIZE];
        enum operation_abort outcome = ABORT_UNKNOWN;
        struct err why = {0};
        const char *tenant = read_id(a, r, allowed, id);
        if (tenant == NULL)
                return;
        if (registry_abort_operation(a->registry, tenant, id, clock_wall(), &outcome, &why) != 0)
                http_problem_err(r, &why);
        else if (outcome != ABORT_DONE)
                refuse_abort(r, outcome);
        else if (find(a, r, tenant, id, &o))
                answer_one(a, r, &o, &(struct answer){.status = 202});
}
