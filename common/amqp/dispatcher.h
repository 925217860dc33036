/* SPDX-License-Identifier: Apache-2.0
 *
 * dispatcher.h: the loop's side of a link: hands notices to their owners, and keeps the deliveries
 * and subscriptions that are theirs. Loop thread only, but for dispatcher_ring. A callback may
 * destroy the link.
 */
#ifndef WARREN_AMQP_DISPATCHER_H
#define WARREN_AMQP_DISPATCHER_H

#include <uv.h>

#include "common/amqp/handover.h"
#include "common/amqp/link_events.h"

struct dispatcher;

struct dispatcher *dispatcher_create(const struct link_events *on, void *owner, uv_loop_t *loop,
                                     struct err *e) MUST_CHECK;
/* Before anything else; borrowed. */
void dispatcher_use(struct dispatcher *d, struct handover *h);
/* The thread has ended: the outcomes that were on their way reach their owners. */
void dispatcher_destroy(struct dispatcher **d);
/* There are notices. Any thread. */
void dispatcher_ring(void *dispatcher);

struct subscription *dispatcher_subscribe(struct dispatcher *d, const struct source *source,
                                          delivery_fn *on, void *owner);
void dispatcher_unsubscribe(struct subscription *s);
/* For the connection whose `up` the owner was told last, though there may be another by now. */
void dispatcher_renew(struct dispatcher *d);
/* Takes it. Its link may be gone. */
void dispatcher_settle(struct delivery *d, enum settle how);
bool dispatcher_is_live(const struct delivery *d);
void dispatcher_await_drain(struct dispatcher *d, drained_fn *done, void *owner);

#endif
