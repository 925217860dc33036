/* SPDX-License-Identifier: Apache-2.0
 *
 * return_plan.h: for a type at its own concurrency: how many jobs of one queue wait here, and when
 * those that are sent away come back. Pure.
 *
 * A job is sent away until the time when, by plan, no job waits here any more. So each is away
 * longer than the one before, the slots are never idle, and the hops of a job grow only with the
 * logarithm of the number of jobs.
 */
#pragma once

#include <stdbool.h>

#include "common/base/clock.h"

enum {
        RETURN_PLAN_KEEP_FOR = 10000, /* ms of work that may wait here */
        RETURN_PLAN_KEEP_MAX = 256,   /* unless the type's concurrency is more */
        RETURN_PLAN_FLOWING = 300,    /* ms: jobs that run within this block nothing */
        RETURN_PLAN_SURPLUS = 3, /* jobs planned to return for each one needed, as estimates err */
        RETURN_PLAN_MAX = 64,
};
/* The longest hop: by then there may be more consumers. */
#define RETURN_PLAN_LONGEST MSEC_HOUR

struct return_plan {
        unsigned count;
        struct {
                msec at;
                unsigned jobs;
        } planned[RETURN_PLAN_MAX]; /* ascending */
};

/* How many jobs may wait here; UINT_MAX: any number. each_ms: the slots' time per job. */
unsigned return_plan_keep(int64_t limit, double each_ms);
/* How long the next job is sent away while `stock` wait here: the time of a delay bucket. */
msec return_plan_next(struct return_plan *r, unsigned stock, double each_ms, msec now);
/* No planned return is left. */
bool return_plan_is_over(const struct return_plan *r, msec now);
