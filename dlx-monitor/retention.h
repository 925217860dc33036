/* SPDX-License-Identifier: Apache-2.0
 *
 * retention.h: deletes letters by age, and those that were replayed or discarded sooner when their
 * tenant's take too much room. What goes is counted and logged before, never silently, and its room
 * in the file is given back. What nobody touched goes only when that was told 7 days ago, or as
 * long ago as such letters are kept: also after a long stop, on an archive of an earlier version,
 * or with a setting that was lowered. Loop thread only, a few letters at a time.
 */
#ifndef WARREN_DLX_MONITOR_RETENTION_H
#define WARREN_DLX_MONITOR_RETENTION_H

#include <uv.h>

#include "common/metrics/metrics.h"
#include "dlx-monitor/archive.h"

struct retention;

struct retention_config {
        struct archive *archive; /* borrowed, as all below */
        struct metrics *metrics;
        uv_loop_t *loop;
        msec keep_ended;      /* since they were replayed or discarded */
        msec keep_dead;       /* what nobody touched, since it was archived */
        int64_t tenant_bytes; /* over this, ended ones go sooner, the oldest first */
};

struct retention *retention_create(const struct retention_config *c);
void retention_destroy(struct retention **r);
/* Sets the gauges: what each tenant's letters take, and how many that nobody touched go soon. Any
 * thread. */
void retention_collect(struct retention *r);

#endif
