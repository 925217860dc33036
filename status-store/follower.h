/* SPDX-License-Identifier: Apache-2.0
 *
 * follower.h: reads stream `events` from where the projection stands, in batches of whatever has
 * arrived, and tells a rewound stream from one that goes on.
 *
 * It resumes at the offset of the last message folded and must receive that very message. Another
 * one, or silence, means that the stream is not the one that was folded, or lost its end: it is
 * folded from the first message there is, on the rows that are there. A first offset above its own
 * means that messages are missing: it says so and goes on.
 *
 * Loop thread only, but for follower_is_ready.
 */
#ifndef WARREN_STATUS_STORE_FOLLOWER_H
#define WARREN_STATUS_STORE_FOLLOWER_H

#include <uv.h>

#include "common/amqp/link.h"
#include "status-store/freshness.h"
#include "status-store/projection.h"
#include "status-store/retention.h"

struct follower;

struct follower_config {
        struct link_config link;
        struct projection *projection; /* all three borrowed */
        struct retention *retention;
        struct freshness *freshness;
        msec silence; /* of the message it resumes at: after it, the stream was rewound */
};

struct follower *follower_create(const struct follower_config *c, uv_loop_t *loop,
                                 struct err *e) MUST_CHECK;
/* Writes what has been folded. */
void follower_destroy(struct follower **f);
/* Any thread. Ready once it follows the stream that it folded. */
bool follower_is_ready(const struct follower *f, struct err *why);

#endif
