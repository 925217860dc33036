/* SPDX-License-Identifier: Apache-2.0
 *
 * doubts.h: submissions that the broker may hold by half. A publish whose confirm never came can be
 * in the event stream and not in its queue: it would show as pending for ever. So it is told as
 * `rejected` when the broker is there again, and is not shown, unless it comes due or starts, which
 * outranks that. Kept in memory: they end with the program.
 */
#ifndef WARREN_GATEWAY_DOUBTS_H
#define WARREN_GATEWAY_DOUBTS_H

#include "common/amqp/link.h"
#include "common/model/job.h"

struct doubts;

enum doubt_cause {
        DOUBT_NACK,
        DOUBT_LOST, /* the connection went before the confirm came */
        DOUBT_LATE, /* no confirm in time: a doubt only if the connection goes as well */
};

/* Loop thread, but for what says any. */
struct doubts *doubts_create(uv_loop_t *loop);
/* The link they are told by, from now on, once a second. Borrowed; it ends first, because its
 * callbacks come back here. */
void doubts_use(struct doubts *d, struct link *l);
void doubts_destroy(struct doubts **d);

/* How often the link went down so far: to be noted before a publish. Any thread. */
unsigned doubts_losses(struct doubts *d);
/* Any thread. `losses`: as noted. */
void doubts_add(struct doubts *d, const struct job *job, enum doubt_cause cause, unsigned losses);
void doubts_link_down(struct doubts *d);
/* At once, if the link is up. */
void doubts_tell(struct doubts *d);

#endif
