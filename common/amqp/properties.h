/* SPDX-License-Identifier: Apache-2.0
 *
 * properties.h: AMQP property lists: their wire form, struct message, and JSON for people.
 */
#pragma once

#include <jansson.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/model/message.h"

/* Wire form (as message.properties) → {"properties": {...}, "headers": {...}} with every type of
 * the protocol: bytes that are not UTF-8 as {"base64": "…"}, timestamps as {"timestamp": seconds},
 * decimals as {"decimal": "1.25"}. New reference. */
json_t *properties_to_json(struct bytes wire, struct err *e) MUST_CHECK;

/* Wire form → the message of a delivery, without exchange, routing key and body, which the caller
 * sets. Strings borrow from wire. -1: not a whole property list. */
int properties_to_message(struct bytes wire, struct message *m, struct err *e) MUST_CHECK;

/* Appends a normal form, the same for every delivery of one message and different for any other
 * property list: without the broker's delivery counts, headers sorted, any type, nested to any
 * depth. (RabbitMQ 3.10 sorts the headers of a redelivery, the count among them.) -1: not a
 * property list. */
int properties_as_published(struct bytes wire, struct buffer *out, struct err *e) MUST_CHECK;

/* Why the broker dead-lettered the message last ("expired", "delivery_limit"), borrowed from wire;
 * absent: it never did. Read from the first entry of the first x-death, which is the broker's own:
 * RabbitMQ 3.10 puts it before entries that a publisher forged, 4.0 and 4.3 drop those. */
struct bytes properties_last_death(struct bytes wire);
/* How often it was dead-lettered for that reason, by the first x-death; 0: never. */
int64_t properties_deaths(struct bytes wire, const char *reason);
