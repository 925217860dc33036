/* SPDX-License-Identifier: Apache-2.0
 *
 * link_events.h: the callbacks of a link: changes of its connection, and the end of a publish.
 */
#ifndef WARREN_AMQP_LINK_EVENTS_H
#define WARREN_AMQP_LINK_EVENTS_H

#include <stdbool.h>

#include "common/base/err.h"

struct subscription;

/* Any may be NULL. */
struct link_events {
        void (*up)(void *owner); /* connected, its stream available, subscriptions renewed */
        /* Also when the first connection fails. Deliveries can no longer be settled, but for one
         * case: still connected, and the stream has been missing for 5 s. */
        void (*down)(void *owner, const struct err *why);
        void (*blocked)(void *owner, bool blocked); /* the broker's memory or disk alarm */
        /* The broker cancelled a subscription, or its queue does not exist. It is tried again every
         * 5 s and after every reconnect. */
        void (*refused)(void *owner, struct subscription *s, const struct err *why);
};

enum link_result {
        LINK_CONFIRMED,
        LINK_RETURNED, /* mandatory and unroutable, or refused by the broker (no such exchange, not
                          allowed): stored nowhere */
        LINK_NACKED,   /* unknown: some queue may hold it */
        LINK_EXPIRED,  /* unknown: no confirm in time; it is not sent again */
        LINK_CLOSED,   /* unknown: it may have been written before the connection ended */
};

struct publish_wait {
        void (*done)(void *owner, enum link_result result);
        void *owner;
        bool direct; /* `done` runs at once on the link's own thread: it must neither block nor
                        call the link */
};

typedef void drained_fn(void *owner, bool clean);

#endif
