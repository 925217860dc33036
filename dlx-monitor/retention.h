/* SPDX-License-Identifier: Apache-2.0
 *
 * retention.h: deletes old letters, and replayed or discarded ones sooner when a tenant's letters
 * take too much room. Deletions are logged before and counted, and the file shrinks. Untouched
 * letters (neither replayed nor discarded) go only after a warning 7 days before, or keep_dead
 * before if that is less: also after a long stop, on an archive of an earlier version, and when a
 * setting was lowered. Loop thread only, a few letters at a time.
 */
#pragma once

#include <uv.h>

#include "common/metrics/metrics.h"
#include "dlx-monitor/archive.h"

struct retention;

struct retention_config {
        struct archive *archive; /* borrowed, like the next two */
        struct metrics *metrics;
        uv_loop_t *loop;
        msec keep_ended;      /* after they were replayed or discarded */
        msec keep_dead;       /* untouched letters, after they were archived */
        int64_t tenant_bytes; /* over this, replayed and discarded ones go sooner, the oldest first
                               */
};

struct retention *retention_create(const struct retention_config *c);
void retention_destroy(struct retention **r);
/* Sets the gauges: the bytes of each tenant's letters, and how many untouched ones expire soon. Any
 * thread. */
void retention_collect(struct retention *r);
/* Calls each for every tenant with letters: their bytes, and how many untouched ones will be
 * deleted within 7 days. Any thread. */
typedef void retention_tenant_fn(void *owner, const char *tenant, int64_t bytes, int64_t expiring);
int retention_each_tenant(const struct retention *r, retention_tenant_fn *each, void *owner,
                          struct err *e) MUST_CHECK;
