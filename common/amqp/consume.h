/* SPDX-License-Identifier: Apache-2.0
 *
 * consume.h: basic.consume and basic.cancel of a subscription, and its consumer tag.
 */
#pragma once

#include "common/amqp/channel.h"
#include "common/amqp/order.h"

/* Sent on the subscription's channel. where: start and offset of a stream. */
int consume_send(const struct subscription *sub, const struct order *where, struct channel *ch,
                 struct err *e) MUST_CHECK;
/* With no-wait. Only after the consume-ok: a channel of RabbitMQ 3.10.8 crashes when it gets a
 * basic.cancel while it still waits for the queue's answer to the basic.consume. */
int consume_cancel(const struct subscription *sub, struct channel *ch, struct err *e) MUST_CHECK;
int consume_cancel_tag(uint16_t channel, amqp_bytes_t tag, struct channel *ch,
                       struct err *e) MUST_CHECK;

/* Gives a delivery back that nobody wants: requeues it; acks it on a stream, where a nack closes
 * the connection. Takes it. */
int consume_give_back(struct incoming *in, struct channel *ch, struct err *e) MUST_CHECK;

/* The subscription's id. Any id may come out of a tag that consume_send did not make. */
uint64_t consume_tag_id(struct bytes tag);
bool consume_tag_is_stream(struct bytes tag);
