/* SPDX-License-Identifier: Apache-2.0
 *
 * markers.h: waits until the projection is current. A marker is a message of stream `events` with
 * an id and no content (type `probe`). Publish one and await it here once it is confirmed: when it
 * has passed, everything before it in the stream is in the tables. No clock is used.
 *
 * Only the last MARKERS_KEPT are remembered, in memory. A wait for a forgotten one times out:
 * publish another. Any thread, except markers_passed.
 */
#pragma once

#include <stdbool.h>

#include "common/base/clock.h"

enum {
        MARKERS_KEPT = 1024,
        MARKERS_WAITING_MAX =
                64, /* threads that wait at once; for more, markers_await does not wait */
};

struct markers;

struct markers *markers_create(void);
/* No thread may be waiting. */
void markers_destroy(struct markers **m);

/* Loop thread, after the commit. */
void markers_passed(struct markers *m, const char *id);
/* True when it has passed. Waits for that until the deadline (monotonic). */
bool markers_await(struct markers *m, const char *id, msec deadline);
/* Ends all waits; later calls do not wait. */
void markers_close(struct markers *m);
