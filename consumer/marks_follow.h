/* SPDX-License-Identifier: Apache-2.0
 *
 * marks_follow.h: follows the stream `marks`, and tells the status-stores how far it was read.
 *
 * The primary status-store answers a cancel once every live consumer has read its mark. It takes a
 * consumer for live by its record. So a consumer knows every cancel that was answered when it has
 * read up to a marker of its own that was published after a record was confirmed, and its records
 * go on. Otherwise it is blind: it asks a status-store before each start. Loop thread only.
 */
#pragma once

#include "common/amqp/link.h"
#include "consumer/events.h"
#include "consumer/marks.h"

struct marks_follow;

/* ms after the last record that is known to be confirmed; the primary takes a worker for gone after
 * 15 s. */
enum { MARKS_UNTOLD_MAX = 10000 };

struct marks_follow_config {
        const struct link_config *link; /* for two links, see catch_up.h; borrowed for the call */
        struct marks *marks;            /* borrowed; the messages' marks are noted there */
        struct events *events;          /* borrowed */
        const char *worker;             /* borrowed */
        /* Marks were read that change something. */
        void (*applied)(void *owner);
        /* It is not blind any more. */
        void (*caught_up)(void *owner);
        void *owner;
};

/* It is blind at first. */
struct marks_follow *marks_follow_create(const struct marks_follow_config *c, uv_loop_t *loop,
                                         struct err *e) MUST_CHECK;
void marks_follow_destroy(struct marks_follow **f);

/* A mark may be in force that has not been read. */
bool marks_follow_is_blind(const struct marks_follow *f);
/* The loop stood still: what came meanwhile has not been read. */
void marks_follow_stood_still(struct marks_follow *f);
/* Call it in each turn of the loop. recorded_at: monotonic; when the last record of this worker was
 * added to the events, 0: never. */
void marks_follow_turn(struct marks_follow *f, msec recorded_at);
