/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriptions.h: every tenant's five queues, subscribed as tenants come and go, each with the
 * window its work deserves. Loop thread only.
 */
#ifndef WARREN_CONSUMER_SUBSCRIPTIONS_H
#define WARREN_CONSUMER_SUBSCRIPTIONS_H

#include <stdbool.h>

#include "common/amqp/link.h"
#include "common/model/record.h"
#include "consumer/tenant.h"

struct subscriptions;

/* Owns the delivery. */
typedef void queue_delivery_fn(void *owner, struct tenant_queue *queue, struct delivery *d);

/* The link is borrowed. Nothing is subscribed until subscriptions_open. */
struct subscriptions *subscriptions_create(struct link *l, unsigned concurrency,
                                           queue_delivery_fn *on, void *owner);
/* Every attempt must have gone. */
void subscriptions_destroy(struct subscriptions **s);
/* A tenant's record: new, changed, paused or deleted. Lent; NULL when it was unknown and deleted.
 * A tenant that is no longer wanted is unsubscribed: what waits of it is the caller's to give
 * back. */
struct tenant *subscriptions_tenant(struct subscriptions *s, const struct tenant_record *r);
void subscriptions_open(struct subscriptions *s);
/* Takes no more. */
void subscriptions_close(struct subscriptions *s);
/* Full: queues of which something is held here are unsubscribed until there is room again. */
void subscriptions_set_full(struct subscriptions *s, bool full);
/* Not subscribed until subscriptions_return, which is for all of them and says if there were any.
 */
void subscriptions_leave(struct subscriptions *s, struct tenant_queue *f);
bool subscriptions_return(struct subscriptions *s);
/* Fits windows to what attempts took, and forgets deleted tenants. Now and then. */
void subscriptions_adjust(struct subscriptions *s, msec mono_now);
/* Nothing has ended for `stalled` ms: windows shrink to what the workers themselves need. */
void subscriptions_collapse(struct subscriptions *s, msec stalled, msec mono_now);

#endif
