/* SPDX-License-Identifier: Apache-2.0
 *
 * follower.h: reads stream `events` from the projection's position, folds it in batches, and
 * detects when the stream was rewound.
 *
 * It resumes at the offset of the last message folded, and must receive that message again. Another
 * message, or none, means that the stream is a different one or lost its end. Then the stream is
 * folded from its first message, and the rows stay. A first offset above the stored one means that
 * messages are missing: this is logged and noted.
 *
 * Loop thread only, except follower_is_ready.
 */
#pragma once

#include <uv.h>

#include "common/amqp/link.h"
#include "status-store/projection/freshness.h"
#include "status-store/projection/minutes_kept.h"
#include "status-store/projection/projection.h"
#include "status-store/projection/retention.h"

struct follower;

struct follower_config {
        struct link_config link;
        struct projection *projection; /* borrowed, like the next three */
        struct retention *retention;
        struct minutes_kept *kept;
        struct freshness *freshness;
        msec silence; /* without the message it resumes at: then the stream was rewound */
};

struct follower *follower_create(const struct follower_config *c, uv_loop_t *loop,
                                 struct err *e) MUST_CHECK;
/* Commits what has been folded, and saves its statistics. */
void follower_destroy(struct follower **f);
/* Any thread. True while it folds the stream and its link is up. */
bool follower_is_ready(const struct follower *f, struct err *why);
