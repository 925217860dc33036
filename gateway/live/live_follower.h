/* SPDX-License-Identifier: Apache-2.0
 *
 * live_follower.h: reads stream `events` from now on, and after a lost connection from where it
 * was.
 *
 * It knows its place from a message of its own (type `probe`, as those of links) that it publishes
 * once it is subscribed. After a reconnect it must be given the message again that it read last:
 * another one, or none, means that the stream is a different one or lost its end. While nothing
 * comes it publishes such a message every 5 s: a connection that is dead and does not know it yet
 * shows by what does not come.
 *
 * Loop's thread only.
 */
#pragma once

#include "common/amqp/link.h"

struct live_follower;

struct live_follower_events {
        /* What follows comes after this offset. What came between the last message that was read,
         * if any, and this is not read: `lost` was called. */
        void (*begun)(void *owner, int64_t offset);
        /* Lent for the call. */
        void (*message)(void *owner, const struct message *m, int64_t offset);
        /* Messages are missing; `begun` follows, soon or at once. rewound: the stream is not the
         * one that was read before. */
        void (*lost)(void *owner, bool rewound);
};

/* link: borrowed for the call. */
struct live_follower *live_follower_create(const struct link_config *link,
                                           const struct live_follower_events *on, void *owner,
                                           uv_loop_t *loop, struct err *e) MUST_CHECK;
/* Run the loop afterwards. May wait up to 3 s for a connect that hangs. */
void live_follower_destroy(struct live_follower **f);
/* Messages come as they are published. */
bool live_follower_is_reading(const struct live_follower *f);
