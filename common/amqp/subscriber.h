/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriber.h: subscriptions and their deliveries. Link's thread only.
 *
 * A basic.consume on a missing queue closes its channel, and none of the channel's deliveries can
 * be settled any more. So a queue not yet seen on this connection is looked for first: the caller
 * asks for its name by subscriber_next_look and reports the result by subscriber_found. Notices for
 * the loop wait for subscriber_take_notices.
 */
#pragma once

#include <stdatomic.h>

#include "common/amqp/acker.h"
#include "common/amqp/answers.h"
#include "common/amqp/order.h"

struct subscriber;

/* live: for each delivery channel the epoch of its deliveries, 0 while closed; the loop reads it.
 * All three are borrowed. renew_when_told: see link.h. */
struct subscriber *subscriber_create(struct acker *a, struct answers *answers,
                                     atomic_ullong live[DELIVERY_CHANNELS], bool renew_when_told);
void subscriber_destroy(struct subscriber **s);

/* ch: NULL while not connected, in these four. */
int subscriber_subscribe(struct subscriber *s, struct subscription *sub, struct channel *ch,
                         struct err *e) MUST_CHECK;
int subscriber_unsubscribe(struct subscriber *s, struct subscription *sub, struct channel *ch,
                           struct err *e) MUST_CHECK;
/* The answer to NOTICE_WHERE; one for an earlier connection is ignored. */
int subscriber_consume(struct subscriber *s, const struct order *o, struct channel *ch,
                       struct err *e) MUST_CHECK;
/* Cancels all and starts no more; deliveries that still come are requeued. */
int subscriber_drain(struct subscriber *s, struct channel *ch, struct err *e) MUST_CHECK;

/* Begins idle subscriptions. With renew_when_told only a call with `told` (from link_renew) does.
 */
int subscriber_renew(struct subscriber *s, struct channel *ch, bool told, struct err *e) MUST_CHECK;
/* All renewed subscriptions have been accepted or refused; those of suspects do not count. */
bool subscriber_is_renewed(const struct subscriber *s);
/* No delivery can be settled any more; all subscriptions are idle. */
void subscriber_disconnected(struct subscriber *s);
/* The broker closed a delivery channel: its deliveries can no longer be settled. consuming: because
 * of the channel's oldest unanswered basic.consume. */
void subscriber_channel_closed(struct subscriber *s, uint16_t channel, bool consuming,
                               const struct err *why);
int subscriber_retry(struct subscriber *s, msec now, struct channel *ch, struct err *e) MUST_CHECK;
msec subscriber_retry_at(const struct subscriber *s); /* 0: none */

/* The next queue to look for; NULL: none. *id: of the subscription, for subscriber_found. */
const char *subscriber_next_look(struct subscriber *s, uint64_t *id);
/* why: NULL: the queue exists. */
int subscriber_found(struct subscriber *s, uint64_t id, const struct err *why, struct channel *ch,
                     struct err *e) MUST_CHECK;
int subscriber_consumed(struct subscriber *s, uint16_t channel, amqp_bytes_t tag,
                        struct channel *ch, struct err *e) MUST_CHECK;
void subscriber_cancelled(struct subscriber *s, amqp_bytes_t tag);

/* An undecodable delivery would end the next connection too: a queue's is rejected; for a stream it
 * is recorded, so that the owner starts after it (subscription_unreadable). */
void subscriber_pass_over(struct subscriber *s, const struct unreadable *u, struct channel *ch);
/* Takes a delivery. */
int subscriber_deliver(struct subscriber *s, struct incoming *in, struct channel *ch,
                       struct err *e) MUST_CHECK;
/* Moves subscriptions off pinned channels (acker.h). */
int subscriber_leave_pinned(struct subscriber *s, struct channel *ch, struct err *e) MUST_CHECK;

void subscriber_take_notices(struct subscriber *s, struct node_list *to);
