/* SPDX-License-Identifier: Apache-2.0
 *
 * returns.c: a short list of times, each with how many come back then.
 */
#include "consumer/returns.h"

#include <limits.h>
#include <string.h>

#include "common/model/delay.h"

unsigned returns_keep(int64_t limit, double each_ms)
{
        int64_t most = limit > RETURNS_KEEP_MAX ? limit : RETURNS_KEEP_MAX;
        double wanted = RETURNS_KEEP_FOR / each_ms;

        if ((double)most * each_ms < RETURNS_FLOWING)
                return UINT_MAX;
        if (wanted > (double)most)
                return (unsigned)most;
        return wanted < (double)limit ? (unsigned)limit : (unsigned)wanted;
}

static void forget_past(struct returns *r, msec now)
{
        unsigned past = 0;

        while (past < r->count && r->planned[past].at < now)
                past++;
        r->count -= past;
        memmove(r->planned, r->planned + past, r->count * sizeof(r->planned[0]));
}

/* When nothing waits here any more, counting what comes back in time. */
static double runs_dry(const struct returns *r, unsigned stock, double each_ms, msec now)
{
        double dry = (double)now + stock * each_ms;

        for (unsigned i = 0; i < r->count && (double)r->planned[i].at <= dry; i++)
                dry += r->planned[i].jobs * each_ms / RETURNS_SURPLUS;
        return dry;
}

/* Those of nearly the same time are one entry, at the earliest of them. */
static void add(struct returns *r, msec at, msec nearly)
{
        unsigned i = r->count;

        while (i > 0 && r->planned[i - 1].at > at)
                i--;
        if (i > 0 && (at - r->planned[i - 1].at <= nearly || r->count == RETURNS_MAX)) {
                r->planned[i - 1].jobs++;
                return;
        }
        if (r->count == RETURNS_MAX)
                r->count--;
        memmove(r->planned + i + 1, r->planned + i, (r->count - i) * sizeof(r->planned[0]));
        r->planned[i].at = at;
        r->planned[i].jobs = 1;
        r->count++;
}

msec returns_plan(struct returns *r, unsigned stock, double each_ms, msec now)
{
        forget_past(r, now);
        /* A hop takes a little longer than its bucket. */
        double left = (runs_dry(r, stock, each_ms, now) - (double)now) * 3 / 4;
        msec most = left < RETURNS_LONGEST ? (msec)left : RETURNS_LONGEST;
        const struct delay_bucket *bucket = delay_bucket_for(most);
        msec ttl = bucket == NULL ? delay_buckets[0].ttl : bucket->ttl;

        add(r, now + ttl, ttl / 8);
        return ttl;
}

bool returns_are_over(const struct returns *r, msec now)
{
        return r->count == 0 || r->planned[r->count - 1].at < now;
}
