/* SPDX-License-Identifier: Apache-2.0
 *
 * stats.h: jobs by state, totals, throughput and latencies.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/projection/schema.h"

/* Adds the counts of GET /stats alone: `types`, `tenants`, and a member for each status. */
int counts_write(struct reader *r, const char *tenant, struct buffer *out,
                 struct err *e) MUST_CHECK;
/* Adds the members of GET /stats, without braces. tenant "*": all. */
int stats_write(struct reader *r, const char *tenant, msec now, struct buffer *out,
                struct err *e) MUST_CHECK;
