/* SPDX-License-Identifier: Apache-2.0
 *
 * accepted.c: the members of a 202.
 */
#include "gateway/accepted.h"

#include "common/base/json_write.h"
#include "common/model/delay.h"

/* A job that is due too soon for a delay exchange is already in its queue. */
static const char *status_of(const struct job *job, msec published)
{
        const struct delay_bucket *bucket;
        msec left;

        if (delay_step(job->run_at, published, DELAY_HOLD_MAX, &left, &bucket) == WAIT_HOP)
                return "scheduled";
        return "pending";
}

void accepted_write(const struct job *job, msec published, struct buffer *out)
{
        buffer_reserve(out, 384);
        json_begin(out);
        json_put_string(out, "id", job->id);
        json_put_string(out, "status", status_of(job, published));
        json_put_time(out, "run_at", job->run_at > job->submitted_at ? job->run_at : 0);
        json_put_time(out, "expires_at", job->expires_at);
        json_put_string(out, "type", job->type);
        json_put_string(out, "priority", priority_name(job->priority));
        json_put_string(out, "tenant", job->tenant);
}
