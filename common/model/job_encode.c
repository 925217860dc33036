/* SPDX-License-Identifier: Apache-2.0
 *
 * job_encode.c: writes the message of a job.
 */
#include <stdio.h>

#include "common/model/delay.h"
#include "common/model/job_headers.h"
#include "common/model/parked.h"

/* Sets single members: clearing the whole header array would cost more than all the rest. */
static void begin(const struct job *job, struct message *m)
{
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

static void address(struct job_message *out, const char *exchange, const char *of,
                    const char *tenant, enum lane lane)
{
        snprintf(out->exchange, sizeof(out->exchange), "%s%s", exchange, of);
        snprintf(out->routing_key, sizeof(out->routing_key), "%s%s%s", tenant,
                 tenant[0] != '\0' ? "." : "", lane_name(lane));
        out->message.exchange = bytes_of_text(out->exchange);
        out->message.routing_key = bytes_of_text(out->routing_key);
}

/* exchanges: `delay.` or `hold.` */
static void to_bucket(const struct job *job, const char *exchanges, msec now,
                      struct job_message *out)
{
        const struct delay_bucket *bucket = delay_bucket_for(job->run_at - now);

        if (bucket == NULL)
                bucket = &delay_buckets[0];
        message_add_int(&out->message, "x-due-at", now + bucket->ttl);
        address(out, exchanges, bucket->name, job->tenant, job->lane);
}

static void to_parked(const struct job *job, struct job_message *out)
{
        char queue[PARKED_QUEUE_SIZE];

        parked_of(job->pause, job->tenant, job->type, queue);
        address(out, queue, "", job->tenant, job->lane);
}

static bool must_wait(const struct job *job, msec now)
{
        const struct delay_bucket *bucket;
        msec left;

        return delay_step(job->run_at, now, DELAY_HOLD_MAX, &left, &bucket) == WAIT_HOP;
}

/* Never that of the message before: by this time a consumer tells the messages of an attempt apart,
 * and two can be published within a millisecond. One that is far ahead is of a wrong clock. */
static msec queued_at(const struct job *job, enum job_station station, msec now)
{
        const msec ahead = job->queued_at - now;

        if (station == STATION_UNPARK)
                return job->queued_at;
        return ahead >= 0 && ahead < MSEC_SECOND ? job->queued_at + 1 : now;
}

void job_encode(const struct job *job, enum job_station station, msec now, struct job_message *out)
{
        struct message *m = &out->message;

        begin(job, m);
        job_headers_write(job, station, m);
        if (job->lane == LANE_LONG || station == STATION_LANE_MOVE)
                message_add_int(m, "x-priority", job->priority);
        message_add_int(m, "x-queued-at", queued_at(job, station, now));
        switch (station) {
        case STATION_SUBMISSION:
                m->mandatory = true;
                if (must_wait(job, now))
                        to_bucket(job, "hold.", now, out);
                else
                        address(out, "work", "", job->tenant, job->lane);
                break;
        case STATION_REPLAY:
        case STATION_MOVE:
                if (must_wait(job, now))
                        to_bucket(job, "delay.", now, out);
                else
                        address(out, "jobs.", job->tenant, "", job->lane);
                break;
        case STATION_HOP:
                m->mandatory = true;
                message_add_int(m, "x-hop", 1);
                to_bucket(job, "hold.", now, out);
                break;
        case STATION_FIRST_HOP:
        case STATION_RETRY:
                to_bucket(job, "delay.", now, out);
                break;
        case STATION_BURIAL:
                if (job->reason == REASON_MALFORMED)
                        m->content_type = bytes_of_text("application/octet-stream");
                address(out, "dead", "", job->tenant, job->lane);
                break;
        case STATION_LANE_MOVE:
                address(out, "due", "", job->tenant, LANE_LONG);
                break;
        case STATION_PARK:
                m->mandatory = true;
                to_parked(job, out);
                break;
        case STATION_UNPARK:
                m->mandatory = true;
                address(out, "work", "", job->tenant, job->lane);
                break;
        }
}
