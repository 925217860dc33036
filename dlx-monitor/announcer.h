/* SPDX-License-Identifier: Apache-2.0
 *
 * announcer.h: publishes an event `buried` to stream `events` for every letter that the broker
 * buried, in `unroutable` or `dead`, and repeats it until it is confirmed. Loop thread only.
 */
#pragma once

#include "common/amqp/link.h"
#include "dlx-monitor/archive.h"

struct announcer;

/* Borrows everything. */
struct announcer *announcer_create(struct link *link, struct archive *archive, uv_loop_t *loop);
/* Destroy the link first. */
void announcer_destroy(struct announcer **a);
/* Call it when there may be an unannounced letter. */
void announcer_kick(struct announcer *a);
