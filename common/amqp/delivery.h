/* SPDX-License-Identifier: Apache-2.0
 *
 * delivery.h: a message that the broker has delivered, and its source: a queue or stream.
 */
#ifndef WARREN_AMQP_DELIVERY_H
#define WARREN_AMQP_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/model/message.h"

struct subscription;

/* Lent to the callback's owner until link_settle. */
struct delivery {
        struct message message;
        int64_t offset; /* in a stream; -1 for a queue */
        bool redelivered;
        struct subscription *subscription; /* invalid after link_unsubscribe or `down` */
};

enum settle { SETTLE_ACK, SETTLE_REQUEUE };

enum source_start { SOURCE_NEXT, SOURCE_FIRST, SOURCE_OFFSET };

struct source {
        const char *queue; /* copied */
        uint16_t prefetch; /* 1.. */
        int32_t priority;  /* x-priority; 0: none */
        bool stream;
        /* Streams: where to start. Called at each (re)connect, on the loop's thread. */
        enum source_start (*start)(void *owner, int64_t *offset);
};

/* For a stream's `start`: the offset of a message that rabbitmq-c cannot decode and that ended the
 * last connection, when it is the one after `after` (-1: the first one); else -1. (A queue's
 * unreadable message is rejected.) */
int64_t subscription_unreadable(const struct subscription *s, int64_t after);

/* The callback must settle the delivery, then or later. */
typedef void delivery_fn(void *owner, struct delivery *d);

#endif
