/* SPDX-License-Identifier: Apache-2.0
 *
 * next_step.c: the order of the checks. Whether it has expired comes first: nothing else matters
 * then. The due time comes next: by then there may be a handler, or the pause may be over.
 */
#include "consumer/next_step.h"

#include "common/model/delay.h"

/* A hop that ends later than this has waited in its job queue, with no consumer to take it. */
#define UNHANDLED_LATE ((msec)10 * MSEC_SECOND)

static struct next hop(enum hop_why why, msec wait, msec unhandled_at)
{
        return (struct next){NEXT_HOP, why, wait, unhandled_at};
}

/* Since when it waits for a handler. Time in the queue while no consumer took it (all were stopped)
 * does not count: otherwise the first consumer to start would bury jobs of a later one's types. */
static msec unhandled_since(const struct job *job, msec now)
{
        msec since = job->unhandled_at;
        msec queued = job->hop && job->due_at > 0 ? now - job->due_at : 0;

        if (since != 0 && queued > UNHANDLED_LATE)
                since += queued;
        return since == 0 || since > now ? now : since;
}

/* No consumer has a handler. It hops for as long as it has waited; after unhandled_max: buried. */
static struct next await_handler(const struct next_view *v, msec now)
{
        msec since = unhandled_since(v->job, now);
        msec waited = now - since;
        msec left = v->unhandled_max - waited;
        if (left > 0)
                return hop(HOP_UNHANDLED, waited < left ? waited : left, since);
        if (!v->fresh)
                return hop(HOP_UNKNOWN, 0, since);
        return (struct next){.step = v->suspect ? NEXT_ASK_DUPLICATE : NEXT_BURY_UNHANDLED,
                             .unhandled_at = since};
}

static struct next without_handler(const struct next_view *v, msec now)
{
        msec longer = 2 * hops_last(v->job);

        if (!v->looked_up)
                return (struct next){.step = NEXT_ASK_WHO, .unhandled_at = v->job->unhandled_at};
        switch (v->by) {
        case HANDLED_UNKNOWN:
                return hop(HOP_UNKNOWN, longer, v->job->unhandled_at);
        case HANDLED_ELSEWHERE:
                return hop(HOP_ELSEWHERE, longer, 0);
        case HANDLED_BY_NONE:
                break;
        }
        return await_handler(v, now);
}

struct next next_step(const struct next_view *v, msec now)
{
        const struct delay_bucket *bucket;
        msec left;
        enum wait_step wait = delay_step(v->job->run_at, now, v->hold, &left, &bucket);

        /* One that may have run before may run elsewhere, or have ended. */
        if (job_has_expired(v->job, now))
                return (struct next){.step = v->suspect ? NEXT_ASK_DUPLICATE : NEXT_EXPIRE};
        if (wait == WAIT_HOP)
                return (struct next){.step = NEXT_DELAY,
                                     .unhandled_at = v->handler == NULL ? v->job->unhandled_at : 0};
        if (v->handler == NULL && !v->paused)
                return without_handler(v, now);
        if (v->handler != NULL && v->job->lane != LANE_LONG &&
            job_lane(v->job, v->handler->timeout) == LANE_LONG)
                return (struct next){.step = NEXT_MOVE_TO_LONG};
        if (v->paused)
                return hop(HOP_PAUSED, 0, 0);
        if (v->suspect)
                return (struct next){.step = NEXT_ASK_DUPLICATE};
        return (struct next){.step = wait == WAIT_HOLD ? NEXT_HOLD : NEXT_WAIT};
}
