/* SPDX-License-Identifier: Apache-2.0
 *
 * park.c: the departure to a parked queue, and the hop in its place.
 */
#include "consumer/park.h"

#include <string.h>

#include "common/base/log.h"
#include "consumer/departure.h"
#include "consumer/finish.h"
#include "consumer/hops.h"

#define LOG_EVERY ((msec)MSEC_MINUTE)
/* A refusal may close the channel of all hops: they are published again. */
#define REFUSED_FOR ((msec)MSEC_MINUTE)

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

static void queue_of(const struct attempt *a, enum pause why, char out[PARKED_QUEUE_SIZE])
{
        parked_of(why, a->job.tenant, a->job.type, out);
}

static bool was_refused(const struct consumer *c, const struct attempt *a, enum pause why)
{
        char queue[PARKED_QUEUE_SIZE];
        msec now = clock_mono();

        queue_of(a, why, queue);
        for (size_t i = 0; i < PARK_REFUSALS_MAX; i++) {
                const struct park_refusal *r = &c->park_refusals[i];
                if (r->at != 0 && now - r->at < REFUSED_FOR && strcmp(r->queue, queue) == 0)
                        return true;
        }
        return false;
}

/* In the place of the same queue's, or of the oldest. */
static void note_refused(struct consumer *c, const struct attempt *a)
{
        char queue[PARKED_QUEUE_SIZE];
        struct park_refusal *place = &c->park_refusals[0];

        queue_of(a, a->job.pause, queue);
        for (size_t i = 0; i < PARK_REFUSALS_MAX; i++) {
                struct park_refusal *r = &c->park_refusals[i];
                if (strcmp(r->queue, queue) == 0) {
                        place = r;
                        break;
                }
                if (r->at < place->at)
                        place = r;
        }
        memcpy(place->queue, queue, sizeof(place->queue));
        place->at = clock_mono();
}

static void become_hop(struct consumer *c, struct attempt *a)
{
        msec wait = hops_wait(c->hops, a->job.type, HOP_PAUSED, 0, clock_mono());

        metric_increment(c->measures.hops, 1, hop_why_word(HOP_PAUSED));
        departure_hop(a, wait, clock_wall());
}

static void on_refused(struct consumer *c, struct attempt *a)
{
        log_refused(c, a);
        note_refused(c, a);
        become_hop(c, a);
        finish_publish_again(c, a);
}

void park(struct consumer *c, struct attempt *a, enum pause why)
{
        if (was_refused(c, a, why)) {
                become_hop(c, a);
                finish_publish(c, a);
                return;
        }
        departure_park(a, why);
        finish_publish_or(c, a, on_refused);
}
