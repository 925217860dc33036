/* SPDX-License-Identifier: Apache-2.0
 *
 * dispatch.c: publishes a job to its queue, then tells the event stream. The order is queue, then
 * stream, so that the stream tells of no job that no queue has.
 */
#include "gateway/dispatch.h"

#include <string.h>

#include "common/base/log.h"
#include "gateway/accepted.h"
#include "gateway/judge.h"
#include "gateway/judge_key.h"

enum { MESSAGE_OVERHEAD = 512 /* bytes of a job's message besides its payload, about */ };

void dispatch_init(struct dispatch *d, const char *traceparent)
{
        struct job *job = &d->job;

        if (job->id[0] == '\0')
                uuid7(job->id);
        memcpy(job->traceparent, traceparent, sizeof(job->traceparent));
        job->app_id = bytes_of_text(d->g->name);
        d->published = clock_wall();
        if (job->key[0] == '\0')
                d->scheduled = accepted_is_scheduled(job, d->published);
}

static void end(struct dispatch *d, enum dispatch_end end)
{
        d->end = end;
        d->ended(d);
}

static void end_claim(const struct dispatch *d, enum claim_end how)
{
        const struct job *job = &d->job;

        if (job->key[0] != '\0')
                claims_end(d->g->claims, job->tenant, job->key, d->holder, how);
}

static void encode(struct dispatch *d, struct job_message *m)
{
        msec run_at = d->job.run_at;

        d->job.run_at = judge_key_due(&d->job, d->taken, d->published);
        job_encode(&d->job, STATION_SUBMISSION, d->published, m);
        d->job.run_at = run_at;
}

static void on_told(void *owner, bool in_time)
{
        struct dispatch *d = owner;
        const struct meters *m = &d->g->meters;

        metric_increment(m->submitted, 1, d->job.tenant, d->job.type,
                         priority_name(d->job.priority));
        if (!in_time)
                metric_increment(m->told_late, 1);
        end(d, in_time ? DISPATCH_TOLD : DISPATCH_TOLD_LATE);
}

/* Adds the job to a pack. The message is made again, the same as the queue's: to keep it until the
 * confirm would take 3 KB for each job in flight. */
static void tell(struct dispatch *d, const struct told_wait *wait)
{
        struct job_message m;

        encode(d, &m);
        packer_add(d->g->packer, &m.message, d->bytes, wait);
}

/* The queue may have the job. It is not published again: the caller submits again, and then both
 * could run. Told with x-doubt, it does not show before it starts. */
static void tell_doubt(struct dispatch *d)
{
        d->job.doubt = true;
        tell(d, NULL);
}

/* Without the broker's word the claim keeps its lease: the publish may still be on its way, and
 * would run as a first copy after the second one has ended. */
static void end_unknown(struct dispatch *d)
{
        tell_doubt(d);
        end(d, DISPATCH_UNKNOWN);
}

static void on_queued(void *owner, enum link_result result)
{
        struct dispatch *d = owner;
        struct gateway *g = d->g;
        const struct told_wait wait = {.done = on_told, .owner = d};

        d->result = result;
        switch (result) {
        case LINK_CONFIRMED:
                metric_observe(g->meters.confirm, (double)(clock_mono_us() - d->since) / 1e6);
                end_claim(d, CLAIM_SETTLE);
                tell(d, &wait);
                return;
        case LINK_RETURNED:
                in_flight_leave(g->in_flight, 1, d->bytes);
                end_claim(d, CLAIM_RELEASE);
                end(d, DISPATCH_RETURNED);
                return;
        case LINK_NACKED:
                end_claim(d, CLAIM_ABANDON);
                end_unknown(d);
                return;
        case LINK_EXPIRED:
        case LINK_CLOSED:
                end_unknown(d);
                return;
        }
}

static int enter(const struct dispatch *d, struct err *e)
{
        struct in_flight *f = d->g->in_flight;

        if (d->room_until == 0)
                return in_flight_enter(f, d->bytes, e);
        return in_flight_enter_wait(f, d->bytes, d->room_until, e);
}

/* It is too old when this process was stopped, or when the window had no room for long. */
static bool claim_is_good(const struct dispatch *d, struct err *e)
{
        if (d->job.key[0] == '\0' || clock_boot() <= d->publish_by)
                return true;
        err_set(e, ERR_TIMEOUT, "the claim on the idempotency key is too old");
        return false;
}

/* Publishes the job to its queue. Without a way to tell the stream it does not. */
static int publish(struct dispatch *d, struct err *e)
{
        struct gateway *g = d->g;
        const struct publish_wait wait = {.done = on_queued, .owner = d};
        struct job_message m;

        if (!packer_is_ready(g->packer, e) || enter(d, e) < 0)
                return -1;
        encode(d, &m);
        if (claim_is_good(d, e) && link_publish(g->queues.link, &m.message, &wait, e) == 0)
                return 0;
        in_flight_leave(g->in_flight, 1, d->bytes);
        return -1;
}

bool dispatch_begin(struct dispatch *d, struct refusal *why)
{
        struct err e = {0};

        d->bytes = d->job.payload.length + MESSAGE_OVERHEAD;
        d->since = clock_mono_us();
        if (publish(d, &e) == 0)
                return true;
        judge_undo(d->g, d->job.tenant);
        end_claim(d, CLAIM_RELEASE);
        return refusal_set_err(why, &e);
}

static bool refuse_returned(const struct dispatch *d, struct refusal *why)
{
        judge_undo(d->g, d->job.tenant);
        return refusal_set(why, REFUSED_BROKER, 503, "the broker has no queue for this job");
}

static const char *doubt_text(enum link_result result)
{
        switch (result) {
        case LINK_NACKED:
                return "the broker did not take the job";
        case LINK_EXPIRED:
                return "the broker did not confirm in time";
        case LINK_CLOSED:
                return "the connection to the broker was lost";
        case LINK_CONFIRMED:
        case LINK_RETURNED:
                break;
        }
        return "";
}

static bool refuse_unknown(const struct dispatch *d, struct refusal *why)
{
        const struct job *job = &d->job;
        const char *text = doubt_text(d->result);

        LOG_WARN("the outcome of a submission is unknown", log_text("job", job->id),
                 log_text("tenant", job->tenant), log_text("traceparent", job->traceparent),
                 log_text("error", text));
        memcpy(why->id, job->id, sizeof(why->id));
        if (job->key[0] != '\0')
                return refusal_set(why, REFUSED_UNKNOWN, 503,
                                   "%s: the job may have been accepted; the same idempotency key "
                                   "again makes the same job",
                                   text);
        return refusal_set(why, REFUSED_UNKNOWN, 503,
                           "%s: the job may have been accepted; see GET /api/v1/jobs/%s", text,
                           job->id);
}

bool dispatch_outcome(const struct dispatch *d, struct refusal *why)
{
        switch (d->end) {
        case DISPATCH_TOLD:
                return true;
        case DISPATCH_TOLD_LATE:
                LOG_WARN("a job is in its queue, and the event stream has not confirmed it in time",
                         log_text("job", d->job.id), log_text("tenant", d->job.tenant),
                         log_text("traceparent", d->job.traceparent));
                return true;
        case DISPATCH_RETURNED:
                return refuse_returned(d, why);
        case DISPATCH_UNKNOWN:
                return refuse_unknown(d, why);
        }
        return false;
}
