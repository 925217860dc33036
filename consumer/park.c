/* SPDX-License-Identifier: Apache-2.0
 *
 * park.c: the departure to a parked queue, and the hop in its place.
 */
#include "consumer/park.h"

#include "common/base/log.h"
#include "consumer/departure.h"
#include "consumer/finish.h"
#include "consumer/hops.h"

#define LOG_EVERY ((msec)MSEC_MINUTE)

static void log_refused(struct consumer *c, const struct attempt *a)
{
        msec now = clock_mono();

        if (c->returned_at != 0 && now - c->returned_at < LOG_EVERY)
                return;
        c->returned_at = now;
        LOG_WARN("a job of a paused type cannot be parked, so it hops", log_text("job", a->job.id),
                 log_text("type", a->job.type),
                 log_text("why", "the queue of its pause does not exist, or must not be written"),
                 log_text("remedy", "warren topology apply --accounts"));
}

static void hop(struct consumer *c, struct attempt *a)
{
        msec wait = hops_wait(c->hops, a->job.type, HOP_PAUSED, 0, clock_mono());

        log_refused(c, a);
        metric_increment(c->measures.hops, 1, hop_why_word(HOP_PAUSED));
        departure_hop(a, wait, clock_wall());
        finish_publish_again(c, a);
}

void park(struct consumer *c, struct attempt *a, enum pause why)
{
        departure_park(a, why);
        finish_publish_or(c, a, hop);
}
