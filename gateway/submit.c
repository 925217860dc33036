/* SPDX-License-Identifier: Apache-2.0
 *
 * submit.c: a submission: validate, limit, publish to its queue, tell the event stream, and answer
 * 202 when the broker has confirmed both.
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

enum {
        LOCATION_SIZE = 64,
        MESSAGE_OVERHEAD = 512 /* bytes of a job's message besides its payload, about */
};

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

/* Until then a tenant could submit at twice its rate by a restart. */
static bool knows_what_was_admitted(struct gateway *g, struct http_request *r,
                                    const struct tenant_record *t)
{
        struct err e = {0};

        if (t->rate_count == RECORD_UNLIMITED || admits_is_ready(g->admits, &e))
                return true;
        count_refusal(g, "broker");
        http_problem_err(r, &e);
        return false;
}

static bool admit(struct gateway *g, struct http_request *r, const struct job *job,
                  const struct tenant_record *t)
{
        if (!knows_what_was_admitted(g, r, t))
                return false;
        struct allowance a = limiter_take(g->limiter, t, clock_mono(), BUCKET_TAKE);
        add_limit_headers(r, t, &a);
        if (!a.granted) {
                count_refusal(g, "rate");
                metric_increment(g->meters.rate_refused, 1, t->name);
                http_add_header(r, "Retry-After", "%" PRId64,
                                (a.retry + MSEC_SECOND - 1) / MSEC_SECOND);
                http_problem(r, 429, "tenant %s submits faster than its rate", job->tenant);
                return false;
        }
        int64_t retry = 0;
        if (!backlog_admit(g->backlog, t->name, t->max_pending, &retry)) {
                limiter_return(g->limiter, t->name);
                count_refusal(g, "backlog");
                http_add_header(r, "Retry-After", "%" PRId64, retry);
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

        if (delay_step(job->run_at, published, DELAY_HOLD_MAX, &left, &bucket) == WAIT_HOP)
                return "scheduled";
        return "pending";
}

static void write_accepted(const struct job *job, msec published, struct buffer *body)
{
        buffer_reserve(body, 320);
        json_begin(body);
        json_put_string(body, "id", job->id);
        json_put_string(body, "status", status_of(job, published));
        json_put_time(body, "run_at", job->run_at > job->submitted_at ? job->run_at : 0);
        json_put_string(body, "type", job->type);
        json_put_string(body, "priority", priority_name(job->priority));
        json_put_string(body, "tenant", job->tenant);
}

static void location_of(const struct job *job, char location[LOCATION_SIZE])
{
        snprintf(location, LOCATION_SIZE, "/api/v1/jobs/%s", job->id);
}

static void prepare_accepted(struct http_request *r, const struct job *job, msec published)
{
        AUTO_BUFFER body = {0};
        char location[LOCATION_SIZE];

        write_accepted(job, published, &body);
        json_end(&body);
        location_of(job, location);
        http_prepare(r, 202, "application/json", location, buffer_bytes(&body));
}

/* The queue has the job, so it will run; the event stream is told later. */
static void answer_told_late(struct http_request *r, const struct job *job, msec published)
{
        AUTO_BUFFER body = {0};
        char location[LOCATION_SIZE];

        LOG_WARN("a job is in its queue, and the event stream has not confirmed it in time",
                 log_text("job", job->id), log_text("tenant", job->tenant),
                 log_text("traceparent", job->traceparent));
        write_accepted(job, published, &body);
        json_put_flag(&body, "told", false);
        json_end(&body);
        location_of(job, location);
        http_add_header(r, "Location", "%s", location);
        http_answer(r, 202, "application/json", buffer_bytes(&body));
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

/* A submission from its publish to its answer. It lies on the stack of its handler, which sleeps
 * meanwhile: http_give and http_withhold end its life. */
struct submission {
        struct gateway *g;
        struct http_request *r;
        struct job *job;
        struct job_message *message;
        size_t bytes;   /* as they entered in_flight */
        msec published; /* wall clock */
        int64_t since;  /* monotonic, us */
        enum link_result result;
};

static void count_accepted(const struct submission *s)
{
        metric_increment(s->g->meters.submitted, 1, s->job->tenant, s->job->type,
                         priority_name(s->job->priority));
}

static void on_told(void *owner, bool in_time)
{
        struct submission *s = owner;

        count_accepted(s);
        if (in_time) {
                http_give(s->r);
                return;
        }
        metric_increment(s->g->meters.told_late, 1);
        http_withhold(s->r);
}

/* The queue may have the job. It is not published again: the caller submits again, and then both
 * could run. Told with x-doubt, it does not show before it starts. */
static void tell_doubt(struct submission *s)
{
        s->job->doubt = true;
        job_encode(s->job, STATION_SUBMISSION, s->published, s->message);
        packer_add(s->g->packer, &s->message->message, s->bytes, NULL);
}

/* The order is queue, then stream, so that the stream tells of no job that no queue has. */
static void on_queued(void *owner, enum link_result result)
{
        struct submission *s = owner;
        struct gateway *g = s->g;
        const struct told_wait wait = {.done = on_told, .owner = s};

        s->result = result;
        switch (result) {
        case LINK_CONFIRMED:
                metric_observe(g->meters.confirm, (double)(clock_mono_us() - s->since) / 1e6);
                packer_add(g->packer, &s->message->message, s->bytes, &wait);
                return;
        case LINK_RETURNED:
                in_flight_leave(g->in_flight, 1, s->bytes);
                break;
        case LINK_NACKED:
        case LINK_EXPIRED:
        case LINK_CLOSED:
                tell_doubt(s);
                break;
        }
        http_withhold(s->r);
}

/* The 202 was not given. */
static void answer_otherwise(struct submission *s)
{
        struct err e = {0};

        switch (s->result) {
        case LINK_CONFIRMED:
                answer_told_late(s->r, s->job, s->published);
                return;
        case LINK_RETURNED:
                err_set(&e, ERR_UNAVAILABLE, "the broker has no queue for this job");
                answer_not_accepted(s->g, s->r, s->job, &e);
                return;
        case LINK_NACKED:
                err_set(&e, ERR_UNAVAILABLE, "the broker did not take the job");
                break;
        case LINK_EXPIRED:
                err_set(&e, ERR_TIMEOUT, "the broker did not confirm in time");
                break;
        case LINK_CLOSED:
                err_set(&e, ERR_UNAVAILABLE, "the connection to the broker was lost");
                break;
        }
        answer_unknown(s->g, s->r, s->job, &e);
}

/* Publishes the job to its queue. Without a way to tell the stream it does not. */
static int publish(struct submission *s, struct err *e)
{
        struct gateway *g = s->g;
        const struct publish_wait wait = {.done = on_queued, .owner = s};

        if (!packer_is_ready(g->packer, e) || in_flight_enter(g->in_flight, s->bytes, e) < 0)
                return -1;
        if (link_publish(g->queues.link, &s->message->message, &wait, e) == 0)
                return 0;
        in_flight_leave(g->in_flight, 1, s->bytes);
        return -1;
}

static void submit(struct gateway *g, struct http_request *r, struct job *job)
{
        struct err e = {0};
        struct job_message m;
        struct submission s = {.g = g,
                               .r = r,
                               .job = job,
                               .message = &m,
                               .bytes = job->payload.length + MESSAGE_OVERHEAD,
                               .published = clock_wall(),
                               .since = clock_mono_us()};

        prepare_accepted(r, job, s.published);
        job_encode(job, STATION_SUBMISSION, s.published, &m);
        if (publish(&s, &e) < 0)
                answer_not_accepted(g, r, job, &e);
        else if (!http_await(r))
                answer_otherwise(&s);
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
        submit(g, r, &job);
}
