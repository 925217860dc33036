/* SPDX-License-Identifier: Apache-2.0
 *
 * accepted.c: the members of a 202.
 */
#include "gateway/accepted.h"

#include "common/base/json_write.h"
#include "common/model/delay.h"

/* A job that is due too soon for a delay exchange is already in its queue. */
bool accepted_is_scheduled(const struct job *job, msec published)
{
        const struct delay_bucket *bucket;
        msec left;

        return delay_step(job->run_at, published, DELAY_HOLD_MAX, &left, &bucket) == WAIT_HOP;
}

static void write_job(const struct job *job, bool scheduled, struct buffer *out)
{
        json_put_string(out, "status", scheduled ? "scheduled" : "pending");
        json_put_time(out, "run_at", job->run_at > job->submitted_at ? job->run_at : 0);
        json_put_time(out, "expires_at", job->expires_at);
        json_put_string(out, "type", job->type);
        json_put_string(out, "priority", priority_name(job->priority));
        json_put_string(out, "tenant", job->tenant);
}

void accepted_write(const struct job *job, bool scheduled, struct buffer *out)
{
        buffer_reserve(out, 384);
        json_begin(out);
        json_put_string(out, "id", job->id);
        write_job(job, scheduled, out);
}

void accepted_write_dry(const struct job *job, bool scheduled, struct buffer *out)
{
        buffer_reserve(out, 384);
        json_begin(out);
        json_put_flag(out, "dry_run", true);
        write_job(job, scheduled, out);
        json_put_string(out, "lane", lane_name(job->lane));
}
