/* SPDX-License-Identifier: Apache-2.0
 *
 * catch_up.h: reads a stream from its first message and says when it has caught up. That is known
 * by a marker of the reader's own, published on exchange `sync` by a link that publishes nothing
 * else, and published again until it has come back.
 *
 * Threads: the loop's thread only.
 */
#ifndef WARREN_CLIENTS_CATCH_UP_H
#define WARREN_CLIENTS_CATCH_UP_H

#include "common/amqp/link.h"

struct catch_up;

struct catch_up_config {
        /* Two links are made from it, whose names end in the stream's name and in "marker".
         * Borrowed for the call. */
        const struct link_config *link;
        const char *stream; /* borrowed for good: `control` or `marks`, which `sync` feeds */
        uint16_t prefetch;
        /* Caught up anew after every reconnect, which takes the marker's link for good. */
        bool every_connection;
};

/* On the loop's thread. */
struct catch_up_events {
        /* Each message, from the first at every connection, but for probes and markers. Lent. */
        void (*message)(void *owner, const struct message *m);
        /* Everything that was in the stream when the marker was published has been given. */
        void (*caught_up)(void *owner);
        /* With every_connection: what comes next begins with the first again. May be NULL. */
        void (*lost)(void *owner);
};

struct catch_up *catch_up_create(const struct catch_up_config *c, const struct catch_up_events *on,
                                 void *owner, uv_loop_t *loop, struct err *e) MUST_CHECK;
/* Allowed in a callback. */
void catch_up_destroy(struct catch_up **c);

#endif
