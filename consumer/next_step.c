/* SPDX-License-Identifier: Apache-2.0
 *
 * next_step.c: the order of the checks. Whether it is over comes first, by a mark or by its time:
 * nothing else matters then. The due time comes next: by then there may be a handler, or the pause
 * may be over.
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

/* Of a copy, the start of what it took the place of is known when it is due, not before. */
static bool asks_when_due(const struct next_view *v, enum wait_step wait)
{
        return v->job->copy > 0 && wait == WAIT_HOLD;
}

/* Its message is over, or a status-store has to say so. */
static bool is_over(const struct next_view *v, msec now, struct next *out)
{
        bool ends = v->mark == MARK_CANCELLED || v->mark == MARK_MOVED;
        bool expired = job_has_expired(v->job, now);

        if (ends)
                out->step = v->mark == MARK_CANCELLED ? NEXT_CANCEL : NEXT_DROP;
        /* One that may have run before may run elsewhere, or have ended. */
        else if (v->stale || (expired && v->suspect))
                *out = (struct next){.step = NEXT_ASK_DUPLICATE,
                                     .unhandled_at = v->job->unhandled_at};
        else if (expired)
                out->step = NEXT_EXPIRE;
        return ends || v->stale || expired;
}

struct next next_step(const struct next_view *v, msec now)
{
        struct next over = {0};
        const struct delay_bucket *bucket;
        msec left;
        enum wait_step wait = delay_step(v->job->run_at, now, v->hold, &left, &bucket);

        if (is_over(v, now, &over))
                return over;
        if (wait == WAIT_HOP)
                return (struct next){.step = NEXT_DELAY,
                                     .unhandled_at = v->handler == NULL ? v->job->unhandled_at : 0};
        if (v->paused)
                return (struct next){.step = NEXT_PARK};
        if (v->handler == NULL)
                return without_handler(v, now);
        if (v->job->lane != LANE_LONG && job_lane(v->job, v->handler->timeout) == LANE_LONG)
                return (struct next){.step = NEXT_MOVE_TO_LONG};
        if (v->suspect && !asks_when_due(v, wait))
                return (struct next){.step = NEXT_ASK_DUPLICATE};
        return (struct next){.step = wait == WAIT_HOLD ? NEXT_HOLD : NEXT_WAIT};
}
