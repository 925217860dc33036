/* SPDX-License-Identifier: Apache-2.0
 *
 * router.h: a link's connection and its parts: publisher, subscriber, declarer and gate, which do
 * not know one another. What the broker sends goes to the part that it concerns, what a part wants
 * of another goes through here, and what the loop is to hear is handed over. Link's thread only.
 */
#ifndef WARREN_AMQP_ROUTER_H
#define WARREN_AMQP_ROUTER_H

#include "common/amqp/handover.h"
#include "common/amqp/link_settings.h"

struct router;

/* The settings must stay as they are until the router is destroyed. */
struct router *router_create(const struct link_settings *s, struct handover *h);
/* After router_end. */
void router_destroy(struct router **r);
/* Ends everything; its last notices are handed over. orderly: writes what is settled first, and
 * tells the broker. */
void router_end(struct router *r, bool orderly);

bool router_is_connected(const struct router *r);
/* Publishes may go: the stream is there, if there is one. */
bool router_is_open(const struct router *r);
int router_connect(struct router *r, const struct address *a, struct err *e) MUST_CHECK;
/* What was handed over until now ends with the connection. */
void router_disconnect(struct router *r, const struct err *why);
void router_tell_down(struct router *r, const struct err *why);

/* In what follows -1 means: disconnect. */
/* Takes what was handed over. Also while not connected. */
int router_take(struct router *r, struct handed_over *work, struct err *e) MUST_CHECK;
/* Writes a batch of everything. */
int router_write(struct router *r, struct err *e) MUST_CHECK;
/* Reads one frame, if there is one: 1, else 0. */
int router_read(struct router *r, struct err *e) MUST_CHECK;
/* What is due by the clock; while reading is paused, heartbeats. */
int router_keep_time(struct router *r, struct err *e) MUST_CHECK;
/* Ends a drain that is over. */
void router_end_drain(struct router *r);
msec router_deadline(const struct router *r); /* INT64_MAX: none */
/* There is something to read that has left the socket already. */
bool router_has_input(const struct router *r);
/* There is something to write. */
bool router_has_output(const struct router *r);
/* More may be read now: the deliveries that are not settled leave room. */
bool router_may_read(const struct router *r);
/* Reading is paused until some are settled: the socket is left alone. */
bool router_is_paused(const struct router *r);
int router_fd(const struct router *r); /* -1: not connected */
void router_hand_over(struct router *r);

#endif
