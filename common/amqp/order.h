/* SPDX-License-Identifier: Apache-2.0
 *
 * order.h: what a link's loop orders its thread to do with subscriptions, and the subscription.
 */
#pragma once

#include <uthash.h>

#include "common/amqp/link_types.h"
#include "common/amqp/node_list.h"
#include "common/base/clock.h"

struct link;

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
        uint64_t epoch; /* CONSUME, RENEW: of the connection it is for */
        msec limit;     /* DRAIN */
};

enum subscription_state {
        SUBSCRIPTION_IDLE,    /* not connected */
        SUBSCRIPTION_PROBING, /* checks whether the queue exists */
        SUBSCRIPTION_ASKING,  /* asks its owner where to start */
        SUBSCRIPTION_WAITING, /* too many answers are awaited on its channel */
        SUBSCRIPTION_SENT,    /* basic.consume was sent */
        SUBSCRIPTION_ACTIVE,
        SUBSCRIPTION_REFUSED,
};

struct subscription {
        /* Set before the thread sees it. */
        struct link *home;
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
        uint16_t channel;    /* from SENT on */
        unsigned deliveries; /* since its channel was last found pinned (acker.h) */
        bool renewing;       /* `up` waits for it */
        bool reported;       /* its refusal was reported */
        msec retry_at;
        int64_t last_offset; /* last one read by this basic.consume; -1: none */
        /* `unreadable`: offset of a message that cannot be decoded, -1: none; it followed
         * unreadable_after. Written by the thread while it consumes; read by the loop only when
         * asked for a start. */
        int64_t unreadable_after, unreadable;
};
