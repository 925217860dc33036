/* SPDX-License-Identifier: Apache-2.0
 *
 * announcer.h: tells the stream `events` what the broker buried, in `unroutable` or in `dead`: one
 * `buried` for each letter, until its confirm has come. Loop thread only.
 */
#ifndef WARREN_DLX_MONITOR_ANNOUNCER_H
#define WARREN_DLX_MONITOR_ANNOUNCER_H

#include "common/amqp/link.h"
#include "dlx-monitor/archive.h"

struct announcer;

/* Everything is borrowed. */
struct announcer *announcer_create(struct link *link, struct archive *archive, uv_loop_t *loop);
/* After the link has ended. */
void announcer_destroy(struct announcer **a);
/* There may be something to tell. */
void announcer_kick(struct announcer *a);

#endif
