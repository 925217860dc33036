/* SPDX-License-Identifier: Apache-2.0
 *
 * submit.c: one submission: judge, dispatch, and answer 202 when the broker has confirmed it.
 */
#include "gateway/handlers.h"

#include <stdio.h>
#include <string.h>

#include "common/base/json_write.h"
#include "gateway/accepted.h"
#include "gateway/access.h"
#include "gateway/dispatch.h"
#include "gateway/judge.h"

enum { LOCATION_SIZE = 64 };

static void add_limit_headers(struct http_request *r, const struct tenant_record *t,
                              const struct allowance *a)
{
        struct caller *caller = http_context(r);
        char text[LIMIT_TEXT_SIZE];

        caller->told_limit = true;
        if (!a->limited)
                return;
        limit_policy_text(t, text);
        http_add_header(r, "RateLimit-Policy", "%s", text);
        allowance_text(a, text);
        http_add_header(r, "RateLimit", "%s", text);
}

/* Adds the limit's headers to a refusal too, which takes nothing from the limit. */
void submit_decorate(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        const struct http_route *route = http_matched(r);
        const struct caller *caller = access_caller(r);
        struct tenant_record t;

        if (route == NULL || route->scope != SCOPE_SUBMIT || caller == NULL)
                return;
        if (caller->told_limit || !control_tenant(g->control, caller->tenant, &t))
                return;
        struct allowance a = limiter_take(g->limiter, &t, clock_mono(), BUCKET_LOOK);
        add_limit_headers(r, &t, &a);
}

bool submit_query(struct http_request *r, bool *dry_run)
{
        static const char *const known[] = {"dry_run", NULL};
        const char *given = http_query(r, "dry_run");

        if (!http_query_only(r, known))
                return false;
        *dry_run = given != NULL && strcmp(given, "true") == 0;
        if (given == NULL || *dry_run || strcmp(given, "false") == 0)
                return true;
        http_problem(r, 400, "dry_run must be true or false");
        return false;
}

static void refuse(struct gateway *g, struct http_request *r, const struct job *job,
                   const struct refusal *why)
{
        refusal_count(why, &g->meters, job->tenant);
        refusal_answer(why, r);
}

/* Refuses an idempotency key: this version cannot honour it, and to ignore it would run jobs
 * twice. */
static bool knows_no_key(struct http_request *r, struct refusal *why)
{
        if (http_header(r, "Idempotency-Key") == NULL)
                return true;
        return refusal_set(why, REFUSED_INVALID, 422,
                           "the header Idempotency-Key is not supported by this version");
}

static bool read_job(struct gateway *g, struct http_request *r, struct job *job,
                     struct tenant_record *t, struct refusal *why)
{
        const struct judge_input in = {.body = http_body(r), .own = access_caller(r)->tenant};

        return knows_no_key(r, why) && judge_read(g, &in, job, t, why);
}

/* Adds the limit's headers if the limit was looked at. */
static void show_limit(struct http_request *r, const struct tenant_record *t,
                       const struct allowance *a, const struct refusal *why)
{
        if (why->status == 0 || why->reason == REFUSED_RATE || why->reason == REFUSED_BACKLOG)
                add_limit_headers(r, t, a);
}

static bool judge(struct gateway *g, struct http_request *r, struct job *job, struct refusal *why)
{
        struct tenant_record t;
        struct allowance a;

        if (!read_job(g, r, job, &t, why))
                return false;
        bool granted = judge_rate(g, &t, &a, why);
        show_limit(r, &t, &a, why);
        return granted && judge_backlog(g, &t, why);
}

static void try(struct gateway *g, struct http_request *r)
{
        AUTO_BUFFER body = {0};
        struct tenant_record t;
        struct allowance a;
        struct job job;
        struct refusal why = {0};

        metric_increment(g->meters.dry_runs, 1);
        if (!read_job(g, r, &job, &t, &why)) {
                refusal_answer(&why, r);
                return;
        }
        bool accepted = judge_limits(g, &(struct judge_trial){.tenant = &t}, &a, &why);
        show_limit(r, &t, &a, &why);
        if (!accepted) {
                refusal_answer(&why, r);
                return;
        }
        accepted_write_dry(&job, clock_wall(), &body);
        http_answer(r, 200, "application/json", buffer_bytes(&body));
}

static void location_of(const struct job *job, char location[LOCATION_SIZE])
{
        snprintf(location, LOCATION_SIZE, "/api/v1/jobs/%s", job->id);
}

static void prepare_accepted(struct http_request *r, const struct dispatch *d)
{
        AUTO_BUFFER body = {0};
        char location[LOCATION_SIZE];

        accepted_write(&d->job, d->published, &body);
        json_end(&body);
        location_of(&d->job, location);
        http_prepare(r, 202, "application/json", location, buffer_bytes(&body));
}

/* The queue has the job, so it will run; the event stream is told later. */
static void answer_told_late(struct http_request *r, const struct dispatch *d)
{
        AUTO_BUFFER body = {0};
        char location[LOCATION_SIZE];

        accepted_write(&d->job, d->published, &body);
        json_put_flag(&body, "told", false);
        json_end(&body);
        location_of(&d->job, location);
        http_add_header(r, "Location", "%s", location);
        http_answer(r, 202, "application/json", buffer_bytes(&body));
}

/* http_give and http_withhold end the life of the dispatch, which lies on the handler's stack. */
static void on_ended(struct dispatch *d)
{
        struct http_request *r = d->owner;

        if (d->end == DISPATCH_TOLD)
                http_give(r);
        else
                http_withhold(r);
}

static void submit(struct http_request *r, struct dispatch *d)
{
        struct refusal why = {0};

        dispatch_init(d, http_traceparent(r));
        prepare_accepted(r, d);
        if (!dispatch_begin(d, &why)) {
                refuse(d->g, r, &d->job, &why);
                return;
        }
        if (http_await(r))
                return;
        if (dispatch_outcome(d, &why))
                answer_told_late(r, d);
        else
                refuse(d->g, r, &d->job, &why);
}

void submit_handle(void *owner, struct http_request *r)
{
        struct gateway *g = owner;
        bool dry_run;
        struct dispatch d = {.g = g, .ended = on_ended, .owner = r};
        struct refusal why = {0};

        if (!submit_query(r, &dry_run) || !http_body_is_json(r))
                return;
        if (dry_run)
                try(g, r);
        else if (judge(g, r, &d.job, &why))
                submit(r, &d);
        else
                refuse(g, r, &d.job, &why);
}
