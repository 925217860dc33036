/* SPDX-License-Identifier: Apache-2.0
 *
 * acker.h: acks, requeues and rejects. Each ack costs the broker an entry in a queue's log, so acks
 * are batched: they wait until a quarter of a prefetch is acked, at most 5 ms. Link's thread only.
 *
 * Each channel has a list of its unsettled deliveries, ordered by tag. When the oldest are acked,
 * one basic.ack (multiple) covers them. An ack behind an unsettled delivery waits for one more
 * batch, then is written alone. A channel whose oldest delivery stays unsettled for long is
 * *pinned*: the subscriber moves its busy subscriptions to another channel, where one ack covers
 * many deliveries again.
 *
 * On a stream an ack only gives credit, so it has no time limit. A delivery's memory is freed when
 * its ack is written.
 */
#pragma once

#include "common/amqp/channel.h"

struct acker;

struct acker *acker_create(void);
/* Frees the acks not yet written. */
void acker_destroy(struct acker **a);

/* Lists a delivery of a subscription with that prefetch. Borrowed until it is settled. */
void acker_track(struct acker *a, struct incoming *in, uint16_t prefetch);
/* Takes a list of settled deliveries; requeues and rejects are written at once. ch: NULL: not
 * connected. */
int acker_take(struct acker *a, struct node_list *settled, struct channel *ch,
               struct err *e) MUST_CHECK;
/* Writes the acks that are due, or all. */
int acker_write(struct acker *a, struct channel *ch, bool all, struct err *e) MUST_CHECK;
msec acker_deadline(const struct acker *a); /* 0: none */
/* The channel is closed: its deliveries can no longer be settled. */
void acker_forget(struct acker *a, uint16_t channel);
/* Size of all deliveries not yet freed, those of closed channels included. */
size_t acker_bytes(const struct acker *a);

/* 256 acks were written alone since the channel's oldest delivery was last settled. */
bool acker_is_pinned(const struct acker *a, uint16_t channel);
/* The channel has no unsettled delivery. */
bool acker_is_clear(const struct acker *a, uint16_t channel);
/* Starts the count for acker_is_pinned again. */
void acker_unpin(struct acker *a, uint16_t channel);
