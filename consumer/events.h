/* SPDX-License-Identifier: Apache-2.0
 *
 * events.h: transitions on their way to the stream `events`, several a message: at most
 * EVENTS_MAX, at most EVENTS_AGE old, and at once while nothing else is on its way. An attempt that
 * is closed by a line is told when its batch has been confirmed. Loop thread only.
 */
#ifndef WARREN_CONSUMER_EVENTS_H
#define WARREN_CONSUMER_EVENTS_H

#include <uv.h>

#include "common/amqp/outbox.h"
#include "common/model/event.h"
#include "consumer/attempt.h"

enum {
        EVENTS_MAX = 64,
        EVENTS_AGE = 5,                /* ms */
        EVENTS_BYTES_MAX = 128 * 1024, /* a batch that has reached this is sent */
};

struct events;

typedef void kept_fn(void *owner, struct attempt *a);

/* app_id is borrowed. */
struct events *events_create(uv_loop_t *loop, struct outbox *o, const char *app_id, kept_fn *kept,
                             void *owner);
/* After the outbox's link was destroyed; what was not confirmed is dropped. */
void events_destroy(struct events **ev);
/* closes: the attempt that this event ends, or NULL. */
void events_add(struct events *ev, const struct event *e, struct attempt *closes);
/* Lines written and not yet confirmed. */
bool events_are_pending(const struct events *ev);

#endif
