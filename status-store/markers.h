/* SPDX-License-Identifier: Apache-2.0
 *
 * markers.h: how a caller knows that the projection is current. A marker is a message of the stream
 * `events` that holds nothing but an id (type `probe`). Whoever published one and has its confirm
 * waits here until it has been folded: then so has everything that was in the stream before it. No
 * clock takes part in this, so none can be wrong.
 *
 * Only the last ones are remembered, and no restart: one that is not known has not passed, and
 * another can be published.
 *
 * Any thread, but for markers_passed.
 */
#ifndef WARREN_STATUS_STORE_MARKERS_H
#define WARREN_STATUS_STORE_MARKERS_H

#include <stdbool.h>

#include "common/base/clock.h"

enum {
        MARKERS_KEPT = 1024,
        MARKERS_WAITING_MAX =
                64, /* threads that wait at once: the next are answered as things are */
};

struct markers;

struct markers *markers_create(void);
/* Nobody may be waiting. */
void markers_destroy(struct markers **m);

/* Loop thread, after the commit: everything before it is in the tables. */
void markers_passed(struct markers *m, const char *id);
/* Has it passed? Waits for it until then (monotonic). */
bool markers_await(struct markers *m, const char *id, msec deadline);
/* Wakes everybody; nobody waits any more. */
void markers_close(struct markers *m);

#endif
