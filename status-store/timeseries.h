/* SPDX-License-Identifier: Apache-2.0
 *
 * timeseries.h: what was counted in the last minutes, in buckets of equal length.
 */
#pragma once

#include "common/base/clock.h"
#include "common/db/readers.h"

enum { TIMESERIES_MINUTES_MAX = 1440 };

struct timeseries {
        const char *tenant;    /* or "*" */
        int64_t minutes, step; /* of each bucket: minutes that divide an hour */
        msec now;
};

bool timeseries_step_is_valid(int64_t step);
/* Adds the members of GET /stats/timeseries, without braces: buckets that begin at multiples of the
 * step, as many as cover the minutes, and the current one. */
int timeseries_write(struct reader *r, const struct timeseries *t, struct buffer *out,
                     struct err *e) MUST_CHECK;
