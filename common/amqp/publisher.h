/* SPDX-License-Identifier: Apache-2.0
 *
 * publisher.h: publishes on the link's thread: written in batches, held until confirmed, returned,
 * refused or too old, and sent again after a reconnect when the link is asked to. Link's thread
 * only. Those that have ended wait, with their result, until publisher_take_ended.
 */
#ifndef WARREN_AMQP_PUBLISHER_H
#define WARREN_AMQP_PUBLISHER_H

#include "common/amqp/channel.h"
#include "common/amqp/outgoing.h"

struct publisher;

/* resend: see link.h; confirm_timeout: of a publish that was written, or, without resend, taken. */
struct publisher *publisher_create(bool resend, msec confirm_timeout);
/* Everything in it ends as LINK_CLOSED. */
void publisher_end(struct publisher *p);
void publisher_destroy(struct publisher **p);

/* Takes the list of struct outgoing. */
void publisher_take(struct publisher *p, struct node_list *more, msec now);
/* Something waits, and may be written now. */
bool publisher_is_ready(const struct publisher *p);
/* A batch of it. */
int publisher_write(struct publisher *p, struct channel *ch, msec now, struct err *e) MUST_CHECK;
/* Writes the link's own message, of which `ended` tells as of any; nothing else may be in flight.
 * Takes it. */
int publisher_probe(struct publisher *p, struct channel *ch, struct outgoing *probe,
                    struct err *e) MUST_CHECK;
void publisher_confirm(struct publisher *p, uint64_t tag, bool multiple, enum link_result result);
void publisher_return(struct publisher *p, const struct returned *r);
/* The channel is gone. refused: the broker closed it because of a publish. */
void publisher_disconnected(struct publisher *p, bool refused);
/* NULL: none. The caller's. */
struct outgoing *publisher_take_ended(struct publisher *p);

/* The broker did not read, or could not be heard, since `from`: that time does not count. */
void publisher_skip_time(struct publisher *p, msec from, msec now);
void publisher_expire(struct publisher *p, msec now);
msec publisher_deadline(const struct publisher *p); /* 0: none */
/* Nothing waits and nothing is unconfirmed. */
bool publisher_is_idle(const struct publisher *p);

#endif
