/* SPDX-License-Identifier: Apache-2.0
 *
 * job_encode.c: a job as the message that carries it to its next station.
 */
#include <stdio.h>
#include <string.h>

#include "common/model/delay.h"
#include "common/model/job.h"

static void add_nonzero(struct message *m, const char *name, int64_t value)
{
        if (value != 0)
                message_add_int(m, name, value);
}

static void add_filled(struct message *m, const char *name, const char *text)
{
        if (text[0] != '\0')
                message_add_text(m, name, bytes_of_text(text));
}

/* Field by field: clearing the whole header array costs more than all the rest. */
static void begin_message(const struct job *job, struct message *m)
{
        m->exchange = m->routing_key = (struct bytes){NULL, 0};
        m->user_id = m->properties = (struct bytes){NULL, 0};
        m->message_id = bytes_of_text(job->id);
        m->type = job->type[0] == '\0' ? (struct bytes){NULL, 0} : bytes_of_text(job->type);
        m->content_type = bytes_of_text("application/json");
        m->app_id = job->app_id;
        m->timestamp = job->submitted_at > 0 ? job->submitted_at / 1000 : -1;
        m->delivery_mode = 2;
        m->mandatory = false;
        m->header_count = 0;
        m->body = job->payload;
}

/* What every station writes; headers at their default are left out. In lane long the priority is
 * told by a header. */
static void begin(const struct job *job, enum lane lane, msec now, struct job_message *out)
{
        struct message *m = &out->message;

        begin_message(job, m);
        if (job->max_retries != JOB_MAX_RETRIES_DEFAULT)
                message_add_int(m, "x-max-retries", job->max_retries);
        add_nonzero(m, "x-timeout-ms", job->timeout);
        add_nonzero(m, "x-run-at", job->run_at);
        if (lane == LANE_LONG)
                message_add_int(m, "x-priority", job->priority);
        add_nonzero(m, "x-submitted-at", job->submitted_at);
        add_filled(m, "traceparent", job->traceparent);
        add_filled(m, "x-key", job->key);
        add_filled(m, "x-key-hash", job->key_hash);
        if (job->run != 1)
                message_add_int(m, "x-run", job->run);
        add_nonzero(m, "x-attempt", job->attempt);
        add_nonzero(m, "x-copy", job->copy);
        message_add_int(m, "x-queued-at", now);
}

static void add_error(const struct job *job, struct message *m)
{
        if (job->error.data != NULL)
                message_add_text(m, "x-error", job->error);
        if (job->error_kind != ERROR_KIND_NONE)
                message_add_text(m, "x-error-kind",
                                 bytes_of_text(error_kind_word(job->error_kind)));
}

static void address(struct job_message *out)
{
        out->message.exchange = bytes_of_text(out->exchange);
        out->message.routing_key = bytes_of_text(out->routing_key);
}

static void to_tenant_lane(const struct job *job, enum lane lane, struct job_message *out)
{
        snprintf(out->routing_key, sizeof(out->routing_key), "%s.%s", job->tenant, lane_name(lane));
        address(out);
}

static void to_bucket(const struct job *job, msec now, struct job_message *out)
{
        const struct delay_bucket *bucket = delay_bucket_for(job->run_at - now);

        if (bucket == NULL)
                bucket = &delay_buckets[0];
        message_add_int(&out->message, "x-due-at", now + bucket->ttl);
        snprintf(out->exchange, sizeof(out->exchange), "delay.%s", bucket->name);
        to_tenant_lane(job, job->lane, out);
}

void job_encode_submission(const struct job *job, msec now, struct job_message *out)
{
        const struct delay_bucket *bucket;
        msec left;

        begin(job, job->lane, now, out);
        if (job->again)
                message_add_int(&out->message, "x-again", 1);
        if (delay_step(job->run_at, now, &left, &bucket) == WAIT_HOP) {
                to_bucket(job, now, out);
                return;
        }
        snprintf(out->exchange, sizeof(out->exchange), "jobs.%s", job->tenant);
        snprintf(out->routing_key, sizeof(out->routing_key), "%s", lane_name(job->lane));
        address(out);
}

void job_encode_hop(const struct job *job, msec now, struct job_message *out)
{
        begin(job, job->lane, now, out);
        add_error(job, &out->message);
        if (job->again)
                message_add_int(&out->message, "x-again", 1);
        message_add_int(&out->message, "x-hop", 1);
        add_nonzero(&out->message, "x-unhandled-at", job->unhandled_at);
        to_bucket(job, now, out);
}

void job_encode_first_hop(const struct job *job, msec now, struct job_message *out)
{
        begin(job, job->lane, now, out);
        to_bucket(job, now, out);
}

void job_encode_retry(const struct job *job, msec now, struct job_message *out)
{
        begin(job, job->lane, now, out);
        add_error(job, &out->message);
        to_bucket(job, now, out);
}

void job_encode_burial(const struct job *job, msec now, struct job_message *out)
{
        begin(job, job->lane, now, out);
        add_error(job, &out->message);
        message_add_text(&out->message, "x-reason", bytes_of_text(reason_word(job->reason)));
        add_filled(&out->message, "x-burial", job->burial);
        add_filled(&out->message, "x-claimed-id", job->claimed_id);
        if (job->original.data != NULL)
                message_add_text(&out->message, "x-original", job->original);
        if (job->reason == REASON_MALFORMED)
                out->message.content_type = bytes_of_text("application/octet-stream");
        snprintf(out->exchange, sizeof(out->exchange), "dead");
        to_tenant_lane(job, job->lane, out);
}

void job_encode_lane_move(const struct job *job, msec now, struct job_message *out)
{
        begin(job, LANE_LONG, now, out);
        add_error(job, &out->message);
        if (job->again)
                message_add_int(&out->message, "x-again", 1);
        snprintf(out->exchange, sizeof(out->exchange), "due");
        to_tenant_lane(job, LANE_LONG, out);
}
