/* SPDX-License-Identifier: Apache-2.0
 *
 * dispatcher.h: the loop's side of a link: calls the owners' callbacks, and lists their deliveries
 * and subscriptions. Loop's thread only, but for dispatcher_ring. A callback may destroy the link.
 */
#ifndef WARREN_AMQP_DISPATCHER_H
#define WARREN_AMQP_DISPATCHER_H

#include <uv.h>

#include "common/amqp/handover.h"
#include "common/amqp/link_events.h"

struct dispatcher;

struct dispatcher *dispatcher_create(const struct link_events *on, void *owner, uv_loop_t *loop,
                                     struct err *e) MUST_CHECK;
/* Call before anything else. Borrows h. */
void dispatcher_use(struct dispatcher *d, struct handover *h);
/* After the link's thread has ended. Runs the callbacks of all publishes and declarations left. */
void dispatcher_destroy(struct dispatcher **d);
/* Wakes the loop: the handover has notices. Any thread. */
void dispatcher_ring(void *dispatcher);

struct subscription *dispatcher_subscribe(struct dispatcher *d, const struct source *source,
                                          delivery_fn *on, void *owner);
void dispatcher_unsubscribe(struct subscription *s);
/* See link_renew. */
void dispatcher_renew(struct dispatcher *d);
/* Takes the delivery. Its link may be destroyed. */
void dispatcher_settle(struct delivery *d, enum settle how);
bool dispatcher_is_live(const struct delivery *d);
void dispatcher_await_drain(struct dispatcher *d, drained_fn *done, void *owner);

#endif
