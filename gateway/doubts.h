/* SPDX-License-Identifier: Apache-2.0
 *
 * doubts.h: submissions that the broker may hold in the event stream only. A publish without a
 * confirm can be in the stream and not in its queue: the job would show as pending for ever. So the
 * event `rejected` is published for it when the broker is back, which hides the job, unless it
 * comes due or starts: those outrank `rejected`. The list is in memory and is lost with the
 * program.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/model/job.h"

struct doubts;

enum doubt_cause {
        DOUBT_NACK,
        DOUBT_LOST, /* the connection was lost before the confirm */
        DOUBT_LATE, /* no confirm in time: published only if the connection is lost as well */
};

/* Loop thread, except where a comment says any. */
struct doubts *doubts_create(uv_loop_t *loop);
/* Publishes on this link from now on, once a second. Borrowed; destroy it before the doubts, which
 * its callbacks use. */
void doubts_use(struct doubts *d, struct link *l);
void doubts_destroy(struct doubts **d);

/* How often the link went down so far: read it before a publish. Any thread. */
unsigned doubts_losses(struct doubts *d);
/* Any thread. `losses`: doubts_losses() before the publish. */
void doubts_add(struct doubts *d, const struct job *job, enum doubt_cause cause, unsigned losses);
void doubts_link_down(struct doubts *d);
/* Publishes now, if the link is up. */
void doubts_publish(struct doubts *d);
