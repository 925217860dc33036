/* SPDX-License-Identifier: Apache-2.0
 *
 * router_parts.h: struct router and functions that its own files share. See router.h.
 */
#ifndef WARREN_AMQP_ROUTER_PARTS_H
#define WARREN_AMQP_ROUTER_PARTS_H

#include "common/amqp/gate.h"
#include "common/amqp/handover.h"
#include "common/amqp/link_settings.h"
#include "common/amqp/publisher.h"
#include "common/amqp/subscriber.h"

struct router {
        const struct link_settings *settings;
        struct handover *handover;
        struct channel *channel; /* NULL: not connected */
        uint64_t connection;     /* number of the current or last one, from 1 */
        struct publisher *publisher;
        struct acker *acker;
        struct subscriber *subscriber;
        struct declarer *declarer;
        struct gate *gate;
        msec read_at;   /* time of the last read from the socket */
        bool read_more; /* the last read ended before the socket was empty */
        bool blocked;   /* the broker's alarm */
        bool told_up;
        bool draining;
        msec drain_deadline;      /* 0: over */
        struct node_list notices; /* to be handed over */
};

void parts_set_blocked(struct router *r, bool blocked);
/* Reports ended publishes: calls `direct` callbacks here, leaves the others to the loop. */
void parts_report_ended(struct router *r);
/* Passes the results of ended declarations to the loop, subscriber or gate. */
int parts_answer_ended(struct router *r, struct err *e) MUST_CHECK;
msec parts_deadline(const struct router *r); /* INT64_MAX: none */

#endif
