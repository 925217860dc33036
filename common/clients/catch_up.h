/* SPDX-License-Identifier: Apache-2.0
 *
 * catch_up.h: reads a stream from its first message and reports when it has caught up: when it
 * reads its own marker. The marker is published to exchange `sync`, by a link that publishes
 * nothing else, again until it was read: after 2 s, 4 s, to a minute, and not while the stream is
 * known to be missing. (The markers stay in stream `control`.)
 *
 * Loop's thread only.
 */
#pragma once

#include "common/amqp/link.h"

struct catch_up;

struct catch_up_config {
        /* For two links, with " <stream>" and " marker" added to its name. Borrowed for the call.
         */
        const struct link_config *link;
        const char *stream; /* `control` or `marks`, which `sync` feeds; borrowed for good */
        uint16_t prefetch;
        /* Catches up again after every reconnect; the marker's link then stays open. */
        bool every_connection;
};

struct catch_up_events {
        /* Each message but probes and its own marker; from the first again at every connection.
         * Lent for the call. */
        void (*message)(void *owner, const struct message *m);
        /* Every message that was in the stream when the marker was published has been passed. */
        void (*caught_up)(void *owner);
        /* With every_connection: the connection is down, or the broker has ended the subscription;
         * messages begin with the first again. May be NULL. */
        void (*lost)(void *owner);
};

struct catch_up *catch_up_create(const struct catch_up_config *c, const struct catch_up_events *on,
                                 void *owner, uv_loop_t *loop, struct err *e) MUST_CHECK;
/* Only with every_connection: it is not caught up any more, and is again (`caught_up`) when it has
 * read a new marker. The connection stays. Allowed in a callback. */
void catch_up_again(struct catch_up *c);
/* The stream is being read: the connection is up. Any thread. */
bool catch_up_is_up(const struct catch_up *c);
/* Allowed in a callback. */
void catch_up_destroy(struct catch_up **c);
