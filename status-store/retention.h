/* SPDX-License-Identifier: Apache-2.0
 *
 * retention.h: jobs that ended long ago are deleted, a few at a time. Loop thread only, between
 * commits.
 */
#ifndef WARREN_STATUS_STORE_RETENTION_H
#define WARREN_STATUS_STORE_RETENTION_H

#include "status-store/store.h"
#include "status-store/tally.h"

struct retention;

struct retention_settings {
        msec keep_ended; /* completed, cancelled */
        msec keep_dead;  /* dead; what stands for a forgotten or a rejected one */
};

struct retention *retention_create(struct store *store, const struct retention_settings *s,
                                   struct err *e) MUST_CHECK;
void retention_destroy(struct retention **r);
/* One small step in a transaction of its own. 1: there is more to do soon; 0: nothing is due. */
int retention_step(struct retention *r, msec now, struct err *e) MUST_CHECK;

#endif
