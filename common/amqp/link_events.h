/* SPDX-License-Identifier: Apache-2.0
 *
 * link_events.h: what a link tells its owner: of its connection, and how a publish ended.
 */
#ifndef WARREN_AMQP_LINK_EVENTS_H
#define WARREN_AMQP_LINK_EVENTS_H

#include <stdbool.h>

#include "common/base/err.h"

struct subscription;

/* Any may be NULL. */
struct link_events {
        void (*up)(void *owner); /* connected, its stream there, subscriptions renewed */
        /* Also when the first connection cannot be made. Deliveries so far are void, but for one
         * case: connected, and `stream` has been away for 5 s. */
        void (*down)(void *owner, const struct err *why);
        void (*blocked)(void *owner, bool blocked); /* the broker's alarm */
        void (*refused)(void *owner, struct subscription *s, const struct err *why); /* a
                               subscription was cancelled by the broker, or its queue is not there;
                               it is tried again after every reconnect and every 5 s */
};

enum link_result {
        LINK_CONFIRMED,
        LINK_RETURNED, /* mandatory and unroutable, or refused by the broker (no such exchange, not
                          allowed): kept nowhere */
        LINK_NACKED,   /* unknown: some queue may hold it */
        LINK_EXPIRED,  /* unknown: no confirm in time; it is not sent again */
        LINK_CLOSED,   /* unknown if it had been written, see link_publish */
};

struct publish_wait {
        void (*done)(void *owner, enum link_result result);
        void *owner;
        bool direct; /* run `done` at once on the link's own thread: it must neither block nor call
                        the link */
};

typedef void drained_fn(void *owner, bool clean);

#endif
