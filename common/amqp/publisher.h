/* SPDX-License-Identifier: Apache-2.0
 *
 * publisher.h: a link's publishes: written in batches, held until they are confirmed, returned,
 * refused or expired, and with `resend` sent again after a reconnect. Ended ones wait, with their
 * result, for publisher_take_ended. Link's thread only.
 */
#pragma once

#include "common/amqp/channel.h"
#include "common/amqp/outgoing.h"

struct publisher;

/* See link.h. confirm_timeout begins when a publish is written; without resend when it is taken. */
struct publisher *publisher_create(bool resend, msec confirm_timeout);
/* All its publishes end as LINK_CLOSED. */
void publisher_end(struct publisher *p);
void publisher_destroy(struct publisher **p);

/* Takes a list of struct outgoing. */
void publisher_take(struct publisher *p, struct node_list *more, msec now);
/* A publish waits, and may be written now. */
bool publisher_is_ready(const struct publisher *p);
/* Writes a batch. */
int publisher_write(struct publisher *p, struct channel *ch, msec now, struct err *e) MUST_CHECK;
/* Takes and writes the probe (gate.h), while nothing else is in flight. publisher_take_ended gives
 * its result too. */
int publisher_probe(struct publisher *p, struct channel *ch, struct outgoing *probe,
                    struct err *e) MUST_CHECK;
void publisher_confirm(struct publisher *p, uint64_t tag, bool multiple, enum link_result result);
void publisher_return(struct publisher *p, const struct returned *r);
/* The channel was closed. refused: by the broker, because of a publish. */
void publisher_disconnected(struct publisher *p, bool refused);
/* An ended publish, which the caller then owns; NULL: none. */
struct outgoing *publisher_take_ended(struct publisher *p);

/* The broker did not read, or was not read, from `from` until now: that time does not count. */
void publisher_skip_time(struct publisher *p, msec from, msec now);
void publisher_expire(struct publisher *p, msec now);
msec publisher_deadline(const struct publisher *p); /* 0: none */
/* Nothing waits and nothing is unconfirmed. */
bool publisher_is_idle(const struct publisher *p);
