/* SPDX-License-Identifier: Apache-2.0
 *
 * retention.h: deletes jobs that ended long ago, a few at a time. Loop thread only, between
 * commits.
 */
#pragma once

#include "status-store/projection/store.h"
#include "status-store/projection/tally.h"

struct retention;

struct retention_settings {
        msec keep_ended; /* completed, cancelled */
        msec keep_dead;  /* dead, and hidden rows: of jobs forgotten, rejected or in doubt */
};

struct retention *retention_create(struct store *store, const struct retention_settings *s);
void retention_destroy(struct retention **r);
/* One small step, in a transaction of its own. 1: call again soon; 0: nothing is due; -1. */
int retention_step(struct retention *r, msec now, struct err *e) MUST_CHECK;
