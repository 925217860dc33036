/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriptions.h: subscribes to the queues of every tenant, one per lane, as tenants come and go.
 * Each queue has its own window (window.h). Loop thread only.
 */
#pragma once

#include <stdbool.h>

#include "common/amqp/link.h"
#include "common/model/record.h"
#include "consumer/tenant.h"

struct subscriptions;

/* It owns the delivery. */
typedef void queue_delivery_fn(void *owner, struct tenant_queue *queue, struct delivery *d);

/* The link is borrowed. Nothing is subscribed until subscriptions_open. */
struct subscriptions *subscriptions_create(struct link *l, unsigned concurrency,
                                           queue_delivery_fn *on, void *owner);
/* No attempt may be left. */
void subscriptions_destroy(struct subscriptions **s);
/* Applies a tenant's record; when paused or deleted, unsubscribes it, and the caller requeues its
 * attempts. Returns the tenant, borrowed; NULL when it is deleted and was unknown. */
struct tenant *subscriptions_tenant(struct subscriptions *s, const struct tenant_record *r);
void subscriptions_open(struct subscriptions *s);
/* Unsubscribes all queues. */
void subscriptions_close(struct subscriptions *s);
/* While full, queues with deliveries held here are unsubscribed. */
void subscriptions_set_full(struct subscriptions *s, bool full);
/* Unsubscribes a queue until subscriptions_resume, which resumes all; false: none was suspended. */
void subscriptions_suspend(struct subscriptions *s, struct tenant_queue *f);
bool subscriptions_resume(struct subscriptions *s);
/* A delivery is held until it is due: it and others like it take no place in the queue's window. */
void subscriptions_make_room(struct subscriptions *s, struct tenant_queue *f);
/* Shrinks a queue's window to its share of what may be held here, see window.h. */
void subscriptions_share(struct subscriptions *s, struct tenant_queue *f, uint16_t share, msec now);
/* Undoes that for all queues. */
void subscriptions_unshare(struct subscriptions *s, msec mono_now);
/* Fits the windows to attempts' durations, frees deleted tenants. Call about every 250 ms. */
void subscriptions_adjust(struct subscriptions *s, msec mono_now);
/* No run has ended for `stalled` ms: shrinks windows to one delivery for each worker. */
void subscriptions_collapse(struct subscriptions *s, msec stalled, msec mono_now);
