/* SPDX-License-Identifier: Apache-2.0
 *
 * acker.h: acks and requeues. Each ack costs the broker an entry in a queue's log, so acks are
 * batched: they wait until a quarter of a prefetch is acked, at most 5 ms. Link's thread only.
 *
 * Deliveries that are not settled are kept in the order of their tags, a list for each channel.
 * When the oldest are all acked, one basic.ack says so for all of them. One that was acked behind
 * an older delivery waits once more for that, then has an ack of its own. A channel whose oldest
 * delivery is held for long is *pinned*: the subscriber then moves its busy subscriptions to
 * another channel, where acks cover many deliveries again.
 *
 * On a stream an ack only gives credit: no hurry. A delivery keeps its bytes until its ack is
 * written.
 */
#ifndef WARREN_AMQP_ACKER_H
#define WARREN_AMQP_ACKER_H

#include "common/amqp/channel.h"

struct acker;

struct acker *acker_create(void);
/* Frees what is still here. */
void acker_destroy(struct acker **a);

/* A delivery of a subscription with that prefetch: it must be settled. Lent until then. */
void acker_track(struct acker *a, struct incoming *in, uint16_t prefetch);
/* Takes a list of what was settled; requeues at once. ch may be NULL: not connected. */
int acker_take(struct acker *a, struct node_list *settled, struct channel *ch,
               struct err *e) MUST_CHECK;
/* The acks that are due, or all. */
int acker_write(struct acker *a, struct channel *ch, bool all, struct err *e) MUST_CHECK;
msec acker_deadline(const struct acker *a); /* 0: none */
/* The channel is gone: what came by it needs no settling. */
void acker_forget(struct acker *a, uint16_t channel);
/* Of all deliveries that are not freed yet, those of dead channels too. */
size_t acker_bytes(const struct acker *a);

/* So many acks had to be written alone because of the channel's oldest delivery. */
bool acker_is_pinned(const struct acker *a, uint16_t channel);
/* Nothing that came by the channel is unsettled. */
bool acker_is_clear(const struct acker *a, uint16_t channel);
/* Counts anew. */
void acker_unpin(struct acker *a, uint16_t channel);

#endif
