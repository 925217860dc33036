/* SPDX-License-Identifier: Apache-2.0
 *
 * router.h: a link's connection and its parts: publisher, subscriber, declarer and gate, which do
 * not call one another. The router passes what the broker sends to the right part, calls one part
 * for another, and hands notices over to the loop. Link's thread only.
 */
#ifndef WARREN_AMQP_ROUTER_H
#define WARREN_AMQP_ROUTER_H

#include "common/amqp/handover.h"
#include "common/amqp/link_settings.h"

struct router;

/* Both are borrowed until router_destroy. */
struct router *router_create(const struct link_settings *s, struct handover *h);
/* After router_end. */
void router_destroy(struct router **r);
/* Writes the acks, closes the connection, ends all work, and hands over the last notices. */
void router_end(struct router *r);

bool router_is_connected(const struct router *r);
/* Publishes may be written: the stream, if there is one, is available. */
bool router_is_open(const struct router *r);
int router_connect(struct router *r, const struct address *a, struct err *e) MUST_CHECK;
/* Also takes the work handed over so far: it counts as of the ended connection. */
void router_disconnect(struct router *r, const struct err *why);
void router_tell_down(struct router *r, const struct err *why);

/* From here on -1 means: disconnect. */
/* Takes what was handed over, also while not connected. */
int router_take(struct router *r, struct handed_over *work, struct err *e) MUST_CHECK;
/* Writes a batch of each kind of work, if connected. */
int router_write(struct router *r, struct err *e) MUST_CHECK;
/* Does what is due: timeouts, retries, and heartbeats while reading is paused. */
int router_keep_time(struct router *r, struct err *e) MUST_CHECK;
/* Ends a drain that is complete or over its limit. */
void router_end_drain(struct router *r);
void router_hand_over(struct router *r);
/* Waits until the broker sends, callers hand over or something is due, then reads a batch.
 * connect_at: what is due while not connected. */
int router_wait_and_read(struct router *r, msec connect_at, struct err *e) MUST_CHECK;

#endif
