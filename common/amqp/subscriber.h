/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriber.h: subscriptions and what they bring, with their acks. Link's thread only.
 *
 * A basic.consume on a queue that is not there closes its channel and voids every delivery on it,
 * so a queue not yet known on this connection is looked for first: subscriber_next_look says by
 * what name, subscriber_found is told the answer. What the loop is to hear of collects until
 * subscriber_take_notices.
 */
#ifndef WARREN_AMQP_SUBSCRIBER_H
#define WARREN_AMQP_SUBSCRIBER_H

#include <stdatomic.h>

#include "common/amqp/channel.h"
#include "common/amqp/order.h"

struct subscriber;

/* live: an entry for each delivery channel, the epoch of what it brings now, or 0; read by the
 * loop. hold: renew only when told (see link.h). */
struct subscriber *subscriber_create(atomic_ullong live[DELIVERY_CHANNELS], bool hold);
void subscriber_destroy(struct subscriber **s);

/* ch may be NULL in what follows: not connected. */
int subscriber_subscribe(struct subscriber *s, struct subscription *sub, struct channel *ch,
                         struct err *e) MUST_CHECK;
int subscriber_unsubscribe(struct subscriber *s, struct subscription *sub, struct channel *ch,
                           struct err *e) MUST_CHECK;
/* The answer to NOTICE_WHERE; a late one is ignored. */
int subscriber_consume(struct subscriber *s, const struct order *o, struct channel *ch,
                       struct err *e) MUST_CHECK;
/* Cancels all and takes no new ones; what comes is given back. */
int subscriber_drain(struct subscriber *s, struct channel *ch, struct err *e) MUST_CHECK;

/* Begins to subscribe what is not, unless held back. */
int subscriber_renew(struct subscriber *s, struct channel *ch, bool told, struct err *e) MUST_CHECK;
/* All that were to be renewed have their answer. */
bool subscriber_is_renewed(const struct subscriber *s);
/* Everything here is void. */
void subscriber_disconnected(struct subscriber *s);
/* The broker closed a delivery channel: what came by it is void. consuming: because of the oldest
 * basic.consume unanswered there. */
void subscriber_channel_closed(struct subscriber *s, uint16_t channel, bool consuming,
                               const struct err *why);
int subscriber_retry(struct subscriber *s, msec now, struct channel *ch, struct err *e) MUST_CHECK;
msec subscriber_retry_at(const struct subscriber *s); /* 0: none */

/* The next queue to look for, and for whom; NULL: none. */
const char *subscriber_next_look(struct subscriber *s, uint64_t *id);
/* why: NULL: it is there. */
int subscriber_found(struct subscriber *s, uint64_t id, const struct err *why, struct channel *ch,
                     struct err *e) MUST_CHECK;
void subscriber_consumed(struct subscriber *s, uint16_t channel, amqp_bytes_t tag);
void subscriber_cancelled(struct subscriber *s, amqp_bytes_t tag);

/* A delivery that nobody can read would end the next connection too: one of a queue is refused, its
 * stream's reader starts behind it. */
void subscriber_pass_over(struct subscriber *s, const struct unreadable *u, struct channel *ch);
/* Takes a delivery. */
int subscriber_deliver(struct subscriber *s, struct incoming *in, struct channel *ch,
                       struct err *e) MUST_CHECK;
/* Takes a list of deliveries that their owners have settled. */
int subscriber_settle(struct subscriber *s, struct node_list *settled, struct channel *ch,
                      struct err *e) MUST_CHECK;
/* Writes the acks that are due, or all, and moves what a held delivery is in the way of. */
int subscriber_write(struct subscriber *s, struct channel *ch, bool all, struct err *e) MUST_CHECK;
msec subscriber_ack_deadline(const struct subscriber *s); /* 0: none */
/* Bytes of deliveries that are not freed yet. */
size_t subscriber_bytes(const struct subscriber *s);

void subscriber_take_notices(struct subscriber *s, struct node_list *to);

#endif
