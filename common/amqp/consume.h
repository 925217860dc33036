/* SPDX-License-Identifier: Apache-2.0
 *
 * consume.h: basic.consume and basic.cancel of a subscription, and its consumer tag.
 */
#ifndef WARREN_AMQP_CONSUME_H
#define WARREN_AMQP_CONSUME_H

#include "common/amqp/channel.h"
#include "common/amqp/order.h"

/* By the subscription's channel. where: start and offset of a stream. */
int consume_send(const struct subscription *sub, const struct order *where, struct channel *ch,
                 struct err *e) MUST_CHECK;
/* Without waiting for an answer. */
int consume_cancel(const struct subscription *sub, struct channel *ch, struct err *e) MUST_CHECK;

/* The subscription's id; what is no tag of ours gives an id that no subscription has, or that of
 * another: only the broker sends them. */
uint64_t consume_tag_id(struct bytes tag);
bool consume_tag_is_stream(struct bytes tag);

#endif
