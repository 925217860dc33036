/* SPDX-License-Identifier: Apache-2.0
 *
 * events.h: publishes events to the stream `events` in batches. A batch is sent when it has
 * EVENTS_MAX events, EVENTS_BYTES_MAX bytes or the age EVENTS_AGE; without delay when no other is
 * unconfirmed. Once confirmed, the attempts that it ends are reported. Loop thread only.
 */
#pragma once

#include <uv.h>

#include "common/amqp/outbox.h"
#include "common/model/event.h"
#include "consumer/attempt.h"

enum {
        EVENTS_MAX = 64,
        EVENTS_AGE = 5,                /* ms */
        EVENTS_BYTES_MAX = 128 * 1024, /* of a batch, which one event may exceed */
};

struct events;

typedef void attempt_confirmed_fn(void *owner, struct attempt *a);

/* app_id is borrowed. */
struct events *events_create(uv_loop_t *loop, struct outbox *o, const char *app_id,
                             attempt_confirmed_fn *confirmed, void *owner);
/* After the outbox's link was destroyed. Unconfirmed batches are dropped. */
void events_destroy(struct events **ev);
/* closes: the attempt that this event ends, or NULL. It must live until it is reported. */
void events_add(struct events *ev, const struct event *e, struct attempt *closes);
/* Fills a message to the stream `events`, with an empty body. */
void events_message(const char *app_id, msec now, struct message *m);
/* The number of the batch that holds the last event that was added; 0: none was. */
uint64_t events_last(const struct events *ev);
/* That batch and all before it are confirmed. */
bool events_are_confirmed(const struct events *ev, uint64_t batch);
/* Some event is not yet confirmed. */
bool events_are_pending(const struct events *ev);
