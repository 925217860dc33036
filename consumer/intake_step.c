/* SPDX-License-Identifier: Apache-2.0
 *
 * intake_step.c: the order of the questions. Time comes first: a job that is not due yet may find a
 * handler, or no pause, when it is.
 */
#include "consumer/intake_step.h"

#include "common/model/delay.h"

enum intake_step intake_step(const struct intake_view *v, msec now)
{
        const struct delay_bucket *bucket;
        msec left;
        enum wait_step wait = delay_step(v->job->run_at, now, &left, &bucket);

        if (wait == WAIT_HOP)
                return INTAKE_TRAVEL;
        if (v->handler == NULL)
                return INTAKE_NO_HANDLER;
        if (v->job->lane != LANE_LONG && job_lane(v->job, v->handler->timeout) == LANE_LONG)
                return INTAKE_LANE;
        if (v->paused)
                return INTAKE_PAUSED;
        if (v->suspect)
                return INTAKE_ASK;
        return wait == WAIT_HOLD ? INTAKE_HOLD : INTAKE_RUN;
}
