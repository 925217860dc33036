/* SPDX-License-Identifier: Apache-2.0
 *
 * properties.h: AMQP property lists between their wire form, our view and JSON for people.
 */
#ifndef WARREN_AMQP_PROPERTIES_H
#define WARREN_AMQP_PROPERTIES_H

#include <jansson.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/model/message.h"

/* Wire form (as message.properties) → {"properties": {...}, "headers": {...}}; every type of the
 * protocol incl. nested tables and arrays: bytes that are not UTF-8 as {"base64": "…"}, timestamps
 * as {"timestamp": seconds}, decimals as {"decimal": "1.25"}. New reference. */
json_t *properties_to_json(struct bytes wire, struct err *e) MUST_CHECK;

/* Wire form → the view that a delivery has: strings borrow from wire. Exchange, routing key and
 * body are absent: the caller's to fill. -1: not a whole property list. */
int properties_to_message(struct bytes wire, struct message *m, struct err *e) MUST_CHECK;

/* Adds what every delivery of one message has in common, other than for any other property list:
 * not the counts of its deliveries, and the headers sorted, whatever their types and however deep
 * they nest. (RabbitMQ 3.10 sorts the headers of what it delivers again, with the count among
 * them.) -1: not a property list. */
int properties_as_published(struct bytes wire, struct buffer *out, struct err *e) MUST_CHECK;

/* Why the broker dead-lettered the message last ("expired", "delivery_limit"), borrowed from wire.
 * Absent: it never did. The first entry of the first x-death is the broker's own: RabbitMQ 3.10
 * puts it before all that a publisher forged, 4.0 and 4.3 drop what a publisher sent. */
struct bytes properties_last_death(struct bytes wire);

#endif
