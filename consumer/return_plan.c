/* SPDX-License-Identifier: Apache-2.0
 *
 * return_plan.c: a short list of times, each with the number of jobs that come back then.
 */
#include "consumer/return_plan.h"

#include <limits.h>
#include <string.h>

#include "common/model/delay.h"

unsigned return_plan_keep(int64_t limit, double each_ms)
{
        int64_t most = limit > RETURN_PLAN_KEEP_MAX ? limit : RETURN_PLAN_KEEP_MAX;
        double wanted = RETURN_PLAN_KEEP_FOR / each_ms;

        if ((double)most * each_ms < RETURN_PLAN_FLOWING)
                return UINT_MAX;
        if (wanted > (double)most)
                return (unsigned)most;
        return wanted < (double)limit ? (unsigned)limit : (unsigned)wanted;
}

static void forget_past(struct return_plan *r, msec now)
{
        unsigned past = 0;

        while (past < r->count && r->planned[past].at < now)
                past++;
        r->count -= past;
        memmove(r->planned, r->planned + past, r->count * sizeof(r->planned[0]));
}

/* When no job waits here any more, counting those that come back before. */
static double runs_dry(const struct return_plan *r, unsigned stock, double each_ms, msec now)
{
        double dry = (double)now + stock * each_ms;

        for (unsigned i = 0; i < r->count && (double)r->planned[i].at <= dry; i++)
                dry += r->planned[i].jobs * each_ms / RETURN_PLAN_SURPLUS;
        return dry;
}

/* Jobs that come back within `nearly` ms of each other share an entry, at the earliest time. */
static void add(struct return_plan *r, msec at, msec nearly)
{
        unsigned i = r->count;

        while (i > 0 && r->planned[i - 1].at > at)
                i--;
        if (i > 0 && (at - r->planned[i - 1].at <= nearly || r->count == RETURN_PLAN_MAX)) {
                r->planned[i - 1].jobs++;
                return;
        }
        if (r->count == RETURN_PLAN_MAX)
                r->count--;
        memmove(r->planned + i + 1, r->planned + i, (r->count - i) * sizeof(r->planned[0]));
        r->planned[i].at = at;
        r->planned[i].jobs = 1;
        r->count++;
}

msec return_plan_next(struct return_plan *r, unsigned stock, double each_ms, msec now)
{
        forget_past(r, now);
        /* A hop takes a little longer than its bucket. */
        double left = (runs_dry(r, stock, each_ms, now) - (double)now) * 3 / 4;
        msec most = left < RETURN_PLAN_LONGEST ? (msec)left : RETURN_PLAN_LONGEST;
        const struct delay_bucket *bucket = delay_bucket_for(most);
        msec ttl = bucket == NULL ? delay_buckets[0].ttl : bucket->ttl;

        add(r, now + ttl, ttl / 8);
        return ttl;
}

bool return_plan_is_over(const struct return_plan *r, msec now)
{
        return r->count == 0 || r->planned[r->count - 1].at < now;
}
