/* SPDX-License-Identifier: Apache-2.0
 *
 * count.h: how many jobs a filter matches.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/jobs/job_filter.h"

enum { COUNT_MAX = 10000 };

/* At most COUNT_MAX + 1, which means more than COUNT_MAX; -1: it would take too long, because the
 * filter has a text, or a time and too many tenants and types. */
int count_jobs(struct reader *r, const struct job_filter *f, int64_t *out,
               struct err *e) MUST_CHECK;
/* Adds `"count": …, "count_is_capped": …`. */
int count_write(struct reader *r, const struct job_filter *f, struct buffer *out,
                struct err *e) MUST_CHECK;
