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

/* The link is borrowed, and must end first: its callbacks come back here. */
struct doubts *doubts_create(void);
void doubts_destroy(struct doubts **d);

/* Any thread. */
void doubts_add(struct doubts *d, struct link *l, const struct job *job, enum doubt_cause cause);
/* The link went down, came up, takes messages again. */
void doubts_link_down(struct doubts *d);
void doubts_link_up(struct doubts *d, struct link *l);

#endif
