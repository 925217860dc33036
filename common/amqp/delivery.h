/* SPDX-License-Identifier: Apache-2.0
 *
 * delivery.h: a message that the broker has delivered, and where from.
 */
#ifndef WARREN_AMQP_DELIVERY_H
#define WARREN_AMQP_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/model/message.h"

struct subscription;

/* Lent to on_delivery's owner until link_settle. */
struct delivery {
        struct message message;
        int64_t offset; /* of a stream; -1 for a queue */
        bool redelivered;
        struct subscription *subscription; /* void after link_unsubscribe or down */
};

enum settle { SETTLE_ACK, SETTLE_REQUEUE };

enum source_start { SOURCE_NEXT, SOURCE_FIRST, SOURCE_OFFSET };

struct source {
        const char *queue; /* copied */
        uint16_t prefetch; /* 1.. */
        int32_t priority;  /* x-priority; 0: none */
        bool stream;
        bool exclusive; /* basic.consume exclusive */
        /* Streams: asked for at each (re)connect, on the loop thread: where to start. */
        enum source_start (*start)(void *owner, int64_t *offset);
};

/* Streams, within start: the message after offset `after` (-1: the first one) cannot be read by
 * rabbitmq-c, and ended the last connection. Its offset; -1: there is none. Of a queue it was
 * refused. */
int64_t subscription_unreadable(const struct subscription *s, int64_t after);

/* The callback owns the delivery. */
typedef void delivery_fn(void *owner, struct delivery *d);

#endif
