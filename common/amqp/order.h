/* SPDX-License-Identifier: Apache-2.0
 *
 * order.h: what a link's loop tells its thread about subscriptions, and the subscription itself.
 */
#ifndef WARREN_AMQP_ORDER_H
#define WARREN_AMQP_ORDER_H

#include <uthash.h>

#include "common/amqp/delivery.h"
#include "common/amqp/node_list.h"
#include "common/base/clock.h"

struct dispatcher;

enum order_kind {
        ORDER_SUBSCRIBE,
        ORDER_CONSUME, /* the answer to NOTICE_WHERE */
        ORDER_UNSUBSCRIBE,
        ORDER_RENEW,
        ORDER_DRAIN,
};

struct order {
        struct node node;
        enum order_kind kind;
        struct subscription *subscription; /* SUBSCRIBE, CONSUME, UNSUBSCRIBE */
        enum source_start start;           /* CONSUME */
        int64_t offset;
        uint64_t epoch; /* CONSUME, RENEW: of the connection that it is about */
        msec limit;     /* DRAIN */
};

enum subscription_state {
        SUBSCRIPTION_IDLE,    /* not connected */
        SUBSCRIPTION_PROBING, /* is the queue there? */
        SUBSCRIPTION_ASKING,  /* where to start? */
        SUBSCRIPTION_SENT,
        SUBSCRIPTION_ACTIVE,
        SUBSCRIPTION_REFUSED,
};

struct subscription {
        /* Set before the thread sees it. */
        struct dispatcher *home;
        uint64_t id;
        char *queue;
        struct source source;
        delivery_fn *on;
        void *owner;
        /* Loop only. */
        bool closed;
        struct subscription *prev, *next;
        /* Thread only: subscriber.c. */
        UT_hash_handle hh; /* by id */
        enum subscription_state state;
        uint16_t channel;    /* it consumes by, once SENT */
        unsigned deliveries; /* since its channel was looked at for a move */
        bool renewing;       /* counts among those that `up` waits for */
        bool reported;       /* the owner knows that it is refused */
        msec retry_at;
        int64_t last_offset; /* of a stream, by this basic.consume; -1: none */
        /* Written by the thread while it consumes; the loop reads them when it is asked for a
         * start: the message behind offset unreadable_after cannot be read. -1: there is none. */
        int64_t unreadable_after, unreadable;
};

void subscription_free(struct subscription *s);

#endif
