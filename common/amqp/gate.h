/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.h: decides when a link may publish and when it may read. It does no I/O: the caller takes
 * the steps and reports their results. Link's thread only.
 *
 * Publishing waits until the stream that all publishes feed is available. RabbitMQ 3.10.8 opens its
 * listener before its streams are back (measured: up to 0.7 s). Until then it confirms publishes
 * that it routes to no queue. Later, when it writes a channel's publishes to the stream again, it
 * numbers them wrongly because some never reached the stream: it takes some for duplicates and
 * drops them, confirmed. So the gate looks for the stream by a passive declare, then has a probe
 * published as the channel's first message, whose confirm comes from the stream's writer.
 *
 * Reading pauses while unsettled deliveries hold more than `read_bytes`: a prefetch counts
 * messages, whose size the publishers choose. Meanwhile the socket fills, then the broker waits.
 */
#pragma once

#include "common/amqp/link_types.h"
#include "common/base/clock.h"

struct gate;

enum gate_step {
        GATE_NOTHING,
        GATE_LOOK,  /* look for the stream */
        GATE_PROBE, /* publish the probe */
        GATE_AWAY,  /* report that the stream is not there */
        GATE_FAIL,  /* end the connection */
};

/* stream: borrowed; NULL: publishing never waits. read_bytes: see link.h. */
struct gate *gate_create(const char *stream, size_t read_bytes, msec heartbeat);
void gate_destroy(struct gate **g);

void gate_connected(struct gate *g, msec now);
void gate_disconnected(struct gate *g);
/* Publishes may be written. */
bool gate_is_open(const struct gate *g);

/* The step that is due now. blocked: the broker reads and answers nothing. e: for GATE_FAIL. */
enum gate_step gate_step(struct gate *g, msec now, bool blocked, struct err *e);
/* Result of GATE_LOOK. why: NULL: the stream is there. e: for GATE_AWAY. */
enum gate_step gate_found(struct gate *g, msec now, const struct err *why, struct err *e);
/* Result of GATE_PROBE. */
void gate_probed(struct gate *g, enum link_result result);
/* A publish was returned, so the stream is not there or not bound any more: the connection ends,
 * and the next one waits for the stream. */
void gate_returned(struct gate *g);
/* The broker could not answer until now: its time limit begins again. */
void gate_restart_wait(struct gate *g, msec now);
msec gate_deadline(const struct gate *g, bool blocked); /* 0: none */

/* bytes: of unsettled deliveries. */
bool gate_is_over_limit(const struct gate *g, size_t bytes);
bool gate_is_paused(const struct gate *g);
/* Pauses or resumes reading. When it resumes: the time at which it was paused; else 0. */
msec gate_update_pause(struct gate *g, size_t bytes, msec now);
/* A heartbeat is to be sent while paused: rabbitmq-c sends them only while it reads. */
bool gate_beat_is_due(struct gate *g, msec now);
msec gate_beat_at(const struct gate *g);
