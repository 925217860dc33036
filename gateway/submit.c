/* SPDX-License-Identifier: Apache-2.0
 *
 * submit.c: a submission: validate, limit, publish, and answer 202 only when the broker has
 * confirmed it.
 */
#include "gateway/handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/log.h"
#include "common/model/delay.h"
#include "gateway/access.h"
#include "gateway/core.h"
#include "gateway/submission.h"

enum { RETRY_SECONDS = 1, LOCATION_SIZE = 64 };

static void count_refusal(struct gateway *g, const char *reason)
{
        metric_increment(g->meters.refused, 1, reason);
}

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

        if (route == NULL || route->handle != submit_handle || caller == NULL)
                return;
        if (caller->told_limit || !control_tenant(g->control, caller->tenant, &t))
                return;
        struct allowance a = limiter_take(g->limiter, &t, clock_mono(), BUCKET_LOOK);
        add_limit_headers(r, &t, &a);
}

static bool parse(struct gateway *g, struct http_request *r, struct job *job)
{
        struct submission_refusal why = {0};
        const struct submission_rules rules = {.tenant = access_caller(r)->tenant,
                                               .now = clock_wall(),
                                               .payload_max = (size_t)g->settings->payload_max};

        if (submission_parse(http_body(r), &rules, job, &why) == 0)
                return true;
        count_refusal(g, "invalid");
        http_problem_at(r, why.status, &why.fault);
        return false;
}

/* Refuses an idempotency key: this version cannot honour it, and to ignore it would run jobs
 * twice. */
static bool refuse_key(struct gateway *g, struct http_request *r)
{
        if (http_header(r, "Idempotency-Key") == NULL)
                return false;
        count_refusal(g, "invalid");
        http_problem(r, 422, "the header Idempotency-Key is not supported by this version");
        return true;
}

static void refuse_tenant(struct gateway *g, struct http_request *r)
{
        struct scan_value value = {0};
        struct scan_fault fault = {.pointer = "/tenant_id",
                                   .line = 1,
                                   .column = 1,
                                   .detail = "there is no such tenant"};

        if (scan_find(scan_root(http_body(r)), "tenant_id", &value))
                scan_locate(http_body(r), value.raw.data, &fault.line, &fault.column);
        count_refusal(g, "invalid");
        http_problem_at(r, 422, &fault);
}

static bool admit(struct gateway *g, struct http_request *r, const struct job *job,
                  const struct tenant_record *t)
{
        struct allowance a = limiter_take(g->limiter, t, clock_mono(), BUCKET_TAKE);

        add_limit_headers(r, t, &a);
        if (!a.granted) {
                count_refusal(g, "rate");
                http_add_header(r, "Retry-After", "%" PRId64,
                                (a.retry + MSEC_SECOND - 1) / MSEC_SECOND);
                http_problem(r, 429, "tenant %s submits faster than its rate", job->tenant);
                return false;
        }
        if (!backlog_admit(g->backlog, t->name, t->max_pending)) {
                limiter_return(g->limiter, t->name);
                count_refusal(g, "backlog");
                http_add_header(r, "Retry-After", "%d", RETRY_SECONDS);
                http_problem(r, 429, "tenant %s has %" PRId64 " jobs pending, its limit",
                             job->tenant, t->max_pending);
                return false;
        }
        return true;
}

/* A job that is due too soon for a delay exchange is already in its queue. */
static const char *status_of(const struct job *job, msec published)
{
        const struct delay_bucket *bucket;
        msec left;

        if (delay_step(job->run_at, published, &left, &bucket) == WAIT_HOP)
                return "scheduled";
        return "pending";
}

static void prepare_kept(struct http_request *r, const struct job *job, msec published)
{
        AUTO_BUFFER body = {0};
        char location[LOCATION_SIZE];

        buffer_reserve(&body, 320);
        json_begin(&body);
        json_put_string(&body, "id", job->id);
        json_put_string(&body, "status", status_of(job, published));
        json_put_time(&body, "run_at", job->run_at > job->submitted_at ? job->run_at : 0);
        json_put_string(&body, "type", job->type);
        json_put_string(&body, "priority", priority_name(job->priority));
        json_put_string(&body, "tenant", job->tenant);
        json_end(&body);
        snprintf(location, sizeof(location), "/api/v1/jobs/%s", job->id);
        http_prepare(r, 202, "application/json", location, buffer_bytes(&body));
}

static void answer_unknown(struct gateway *g, struct http_request *r, const struct job *job,
                           const struct err *why)
{
        LOG_WARN("the outcome of a submission is unknown", log_text("job", job->id),
                 log_text("tenant", job->tenant), log_text("traceparent", job->traceparent),
                 log_err(why));
        count_refusal(g, "unknown");
        http_problem_with(r, 503, json_pack("{s:s,s:s}", "id", job->id, "accepted", "unknown"),
                          "%s: the job may have been accepted; see GET /api/v1/jobs/%s", why->text,
                          job->id);
}

static void answer_not_accepted(struct gateway *g, struct http_request *r, const struct job *job,
                                const struct err *why)
{
        limiter_return(g->limiter, job->tenant);
        backlog_return(g->backlog, job->tenant);
        count_refusal(g, why->code == ERR_FULL ? "window" : "broker");
        http_problem_err(r, why);
}

/* A publish in flight. */
struct publish_under_way {
        struct gateway *g;
        struct http_request *r;
        const struct job *job;
        int64_t since; /* us */
        enum link_result result;
};

/* On the link's thread. */
static void on_published(void *owner, enum link_result result)
{
        struct publish_under_way *p = owner;
        const struct meters *m = &p->g->meters;

        p->result = result;
        if (result != LINK_CONFIRMED) {
                http_withhold(p->r);
                return;
        }
        metric_observe(m->confirm, (double)(clock_mono_us() - p->since) / 1e6);
        metric_increment(m->submitted, 1, p->job->tenant, p->job->type,
                         priority_name(p->job->priority));
        http_give(p->r);
}

/* Fills e unless the result is LINK_CONFIRMED. True: the broker may hold the job all the same; d
 * has noted it. `losses`: doubts_losses() before the publish. */
static bool is_unknown(struct doubts *d, unsigned losses, const struct job *job,
                       enum link_result result, struct err *e)
{
        switch (result) {
        case LINK_CONFIRMED:
                return false;
        case LINK_RETURNED:
                err_set(e, ERR_UNAVAILABLE, "the broker has no queue for this job");
                return false;
        case LINK_NACKED:
                doubts_add(d, job, DOUBT_NACK, losses);
                err_set(e, ERR_UNAVAILABLE, "the broker did not take the job");
                return true;
        case LINK_EXPIRED:
                doubts_add(d, job, DOUBT_LATE, losses);
                err_set(e, ERR_TIMEOUT, "the broker did not confirm in time");
                return true;
        case LINK_CLOSED:
                doubts_add(d, job, DOUBT_LOST, losses);
                err_set(e, ERR_UNAVAILABLE, "the connection to the broker was lost");
                return true;
        }
        return true;
}

static void publish(struct gateway *g, struct http_request *r, const struct job *job)
{
        struct err e = {0};
        struct job_message m;
        msec now = clock_wall();
        struct publish_under_way p = {.g = g, .r = r, .job = job, .since = clock_mono_us()};
        const struct publish_wait wait = {.done = on_published, .owner = &p, .direct = true};
        const unsigned losses = doubts_losses(g->doubts);

        prepare_kept(r, job, now);
        job_encode(job, STATION_REPLAY, now, &m);
        if (link_publish(g->link, &m.message, &wait, &e) < 0) {
                answer_not_accepted(g, r, job, &e);
                return;
        }
        if (http_await(r))
                return;
        if (is_unknown(g->doubts, losses, job, p.result, &e))
                answer_unknown(g, r, job, &e);
        else
                answer_not_accepted(g, r, job, &e);
}

void submit_handle(void *owner, struct http_request *r)
{
        static const char *const no_query[] = {NULL};
        struct gateway *g = owner;
        struct tenant_record tenant;
        struct job job;

        if (!http_query_only(r, no_query) || !http_body_is_json(r) || refuse_key(g, r) ||
            !parse(g, r, &job))
                return;
        if (!control_tenant(g->control, job.tenant, &tenant)) {
                refuse_tenant(g, r);
                return;
        }
        if (!admit(g, r, &job, &tenant))
                return;
        uuid7(job.id);
        memcpy(job.traceparent, http_traceparent(r), sizeof(job.traceparent));
        job.app_id = bytes_of_text(g->name);
        publish(g, r, &job);
}
