/* SPDX-License-Identifier: Apache-2.0
 *
 * departure.c: from the end of an attempt to the message that is published of it.
 */
#include "consumer/departure.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/amqp/properties.h"
#include "consumer/runner/text.h"

static void set_error(struct attempt *a, enum error_kind kind, struct bytes text)
{
        buffer_clear(&a->error);
        text_repair(text, JOB_ERROR_MAX, &a->error);
        a->job.error = buffer_bytes(&a->error);
        a->job.error_kind = kind;
}

/* Clears what was true only of the message that came. */
static void clear_arrival_fields(struct job *job)
{
        job->hop = false;
        job->again = false;
        job->due_at = 0;
        job->reason = REASON_NONE;
        job->burial[0] = '\0';
        job->claimed_id[0] = '\0';
}

/* The burial's id is made from what is buried: burying it again, for any reason, makes the same
 * dead letter. It includes the payload: one id with two payloads makes two letters. */
static void bury(struct attempt *a, enum reason reason)
{
        char attempt[TENANT_SIZE + UUID_SIZE + 64];

        snprintf(attempt, sizeof(attempt), "%s/%s/%lld/%lld", a->job.tenant, a->job.id,
                 (long long)a->job.run, (long long)a->number);
        const struct bytes parts[] = {bytes_of_text(attempt), a->job.payload};
        uuid8_of(parts, 2, a->job.burial);
        a->job.reason = reason;
        a->departure = DEPART_BURY;
}

/* A wait ends when the job expires: it comes back then, and is found expired. */
static msec wait_end(const struct job *job, msec end)
{
        return job->expires_at != 0 && end > job->expires_at ? job->expires_at : end;
}

/* The handler was stopped because the link was lost: retried, without using up a retry. It cannot
 * be requeued: its delivery is gone. A consumer that got the redelivery hops while it runs here. */
static void try_again_uncharged(struct attempt *a, double chance, msec now)
{
        if (a->job.max_retries < JOB_MAX_RETRIES_MAX)
                a->job.max_retries++;
        a->departure = DEPART_RETRY;
        a->job.run_at = wait_end(&a->job, now + retry_backoff(&a->handler->retry, 1, chance));
        set_error(a, ERROR_KIND_ERROR,
                  bytes_of_text("stopped: the connection to the broker was lost"));
}

/* The consumer did not stop the handler. */
static void decide_by_outcome(struct attempt *a, const struct run_end *end, double chance, msec now)
{
        bool stopped = end->outcome == OUTCOME_STOPPED;
        const struct attempt_end facts = {
                .outcome = stopped ? OUTCOME_RETRY : end->outcome,
                .attempt = a->number,
                .max_retries = a->job.max_retries,
                .retry_after = end->retry_after,
        };
        enum reason reason;
        msec wait;

        if (stopped)
                set_error(a, ERROR_KIND_ERROR,
                          bytes_of_text("the handler stopped without being asked to"));
        else if (end->outcome != OUTCOME_DONE)
                set_error(a, end->error_kind, end->error);
        switch (attempt_verdict(&facts, &a->handler->retry, chance, &wait, &reason)) {
        case VERDICT_COMPLETE:
                a->departure = DEPART_COMPLETE;
                return;
        case VERDICT_RETRY:
                a->departure = DEPART_RETRY;
                a->job.run_at = wait_end(&a->job, now + wait);
                return;
        case VERDICT_BURY:
                bury(a, reason);
                return;
        case VERDICT_CANCEL:
                assert(!"an attempt that was not asked to stop was cancelled");
        }
}

void departure_decide(struct attempt *a, const struct run_end *end, double chance, msec now)
{
        enum stop_reason why = end->outcome == OUTCOME_STOPPED ? a->stopped_for : STOP_UNASKED;

        /* What it has done all the same is not lost. */
        if (a->stopped_for == STOP_CANCELLED && end->outcome != OUTCOME_DONE) {
                a->departure = DEPART_CANCEL;
                return;
        }
        if (why == STOP_DRAINING) {
                a->departure = DEPART_GIVE_BACK;
                return;
        }
        clear_arrival_fields(&a->job);
        a->job.attempt = a->number;
        if (why == STOP_LINK_LOST)
                try_again_uncharged(a, chance, now);
        else
                decide_by_outcome(a, end, chance, now);
}

static void send_on(struct attempt *a, enum departure how)
{
        clear_arrival_fields(&a->job);
        a->job.again = a->redelivered;
        a->departure = how;
}

void departure_hop(struct attempt *a, msec wait, msec now)
{
        msec end = now + wait;

        /* One that has expired hops while its duplicate runs elsewhere. */
        if (!job_has_expired(&a->job, now))
                end = wait_end(&a->job, end);
        send_on(a, DEPART_HOP);
        if (a->job.run_at < end)
                a->job.run_at = end;
}

void departure_delay(struct attempt *a)
{
        send_on(a, a->job.from_outside ? DEPART_FIRST_HOP : DEPART_HOP);
}

void departure_move_to_long(struct attempt *a)
{
        send_on(a, DEPART_LANE);
}

void departure_park(struct attempt *a, enum pause pause)
{
        send_on(a, DEPART_PARK);
        a->job.pause = pause;
}

void departure_bury(struct attempt *a, enum reason reason, struct bytes text)
{
        char claimed[sizeof(a->job.claimed_id)];

        memcpy(claimed, a->job.claimed_id, sizeof(claimed));
        clear_arrival_fields(&a->job);
        if (reason == REASON_MALFORMED)
                memcpy(a->job.claimed_id, claimed, sizeof(claimed));
        set_error(a, ERROR_KIND_ERROR, text);
        bury(a, reason);
}

void departure_bury_again(struct attempt *a, enum reason reason, enum error_kind kind,
                          struct bytes text)
{
        departure_bury(a, reason, text);
        a->job.error_kind = kind;
        a->job.again = true;
        if (reason != REASON_NO_HANDLER)
                a->job.attempt = a->number;
}

/* The id comes from the whole message, except what the broker adds on a redelivery. */
static void name_by_content(struct job *job, const struct message *m)
{
        AUTO_BUFFER published = {0};

        if (properties_as_published(m->properties, &published, NULL) != 0)
                buffer_add(&published, m->properties.data, m->properties.length);
        const struct bytes parts[] = {bytes_of_text("malformed"),
                                      bytes_of_text(job->tenant),
                                      m->exchange,
                                      m->routing_key,
                                      buffer_bytes(&published),
                                      m->body};
        uuid8_of(parts, sizeof(parts) / sizeof(parts[0]), job->id);
}

void departure_prepare_malformed(struct job *job, const struct tenant_queue *queue,
                                 const struct message *m)
{
        memcpy(job->tenant, queue->tenant->name, sizeof(job->tenant));
        name_by_content(job, m);
        job->lane = queue->lane;
        job->payload = m->body;
        job->original = m->properties;
        if (job->original.length > JOB_ORIGINAL_MAX)
                job->original.length = JOB_ORIGINAL_MAX;
        job->run = 1;
        job->attempt = job->copy = 0;
        job->key[0] = job->key_hash[0] = '\0';
}

void departure_encode(const struct attempt *a, bool again, msec now, struct job_message *out)
{
        static const enum job_station stations[] = {
                [DEPART_RETRY] = STATION_RETRY,    [DEPART_BURY] = STATION_BURIAL,
                [DEPART_HOP] = STATION_HOP,        [DEPART_FIRST_HOP] = STATION_FIRST_HOP,
                [DEPART_LANE] = STATION_LANE_MOVE, [DEPART_PARK] = STATION_PARK,
        };

        assert(a->departure > DEPART_CANCEL);
        job_encode(&a->job, stations[a->departure], now, out);
        if ((again || a->job.again) && message_header(&out->message, "x-again") == NULL)
                message_add_int(&out->message, "x-again", 1);
}
