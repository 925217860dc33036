/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.h: when a link may publish, and when it may read. It knows no connection: it says what is to
 * be done, and is told what came of it. Link's thread only.
 *
 * Publishing waits until the stream that all publishes feed keeps them. RabbitMQ 3.10.8 opens its
 * listener before its streams are back (measured: up to 0.7 s). Meanwhile it confirms what it
 * routes to no queue, and then numbers wrongly what it writes again for a channel whose publishes
 * did not all reach the stream: some are taken for duplicates and dropped, confirmed. So first the
 * stream is looked for by a passive declare, and then a probe is published, the first message of
 * its channel: its confirm comes from the stream's writer.
 *
 * Reading pauses while the deliveries that are not settled hold more bytes than they may: a
 * prefetch counts messages, and how large those are is the publishers' choice. Meanwhile the socket
 * fills, then the broker waits.
 */
#ifndef WARREN_AMQP_GATE_H
#define WARREN_AMQP_GATE_H

#include "common/amqp/link_events.h"
#include "common/base/clock.h"

struct gate;

enum gate_step {
        GATE_NOTHING,
        GATE_LOOK,  /* look for the stream */
        GATE_PROBE, /* publish the probe */
        GATE_AWAY,  /* tell that the stream is away */
        GATE_FAIL,  /* end the connection */
};

/* stream: NULL: none, publishing never waits; borrowed. read_bytes: see link.h. */
struct gate *gate_create(const char *stream, size_t read_bytes, msec heartbeat);
void gate_destroy(struct gate **g);

void gate_connected(struct gate *g, msec now);
void gate_disconnected(struct gate *g);
/* Publishes may go. */
bool gate_is_open(const struct gate *g);

/* What is due now. deaf: the broker reads nothing, so neither does it answer. e: for GATE_FAIL. */
enum gate_step gate_step(struct gate *g, msec now, bool deaf, struct err *e);
/* The stream was looked for; why: NULL: it is there. e: for GATE_AWAY. */
enum gate_step gate_found(struct gate *g, msec now, const struct err *why, struct err *e);
void gate_probed(struct gate *g, enum link_result result);
/* The time in which the broker did not read, or could not be heard, does not count. */
void gate_wait_anew(struct gate *g, msec now);
msec gate_deadline(const struct gate *g, bool deaf); /* 0: none */

/* bytes: of deliveries that are not settled. */
bool gate_is_spent(const struct gate *g, size_t bytes);
bool gate_is_paused(const struct gate *g);
/* Pauses or resumes reading. When it resumes: since when it was paused; else 0. */
msec gate_weigh(struct gate *g, size_t bytes, msec now);
/* rabbitmq-c sends heartbeats only while it reads: one is to be sent while paused. */
bool gate_beat_is_due(struct gate *g, msec now);
msec gate_beat_at(const struct gate *g);

#endif
