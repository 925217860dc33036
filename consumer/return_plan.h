/* SPDX-License-Identifier: Apache-2.0
 *
 * return_plan.h: of a type that is at its own concurrency: how many jobs of one queue wait here,
 * and when those that are sent away come back. Pure.
 *
 * A job that is sent away comes back when, as far as is planned, nothing would wait here any more.
 * So it is away the longer the more were sent away before it, the slots are never idle, and each
 * job hops only so often as the logarithm of their number.
 */
#ifndef WARREN_CONSUMER_RETURN_PLAN_H
#define WARREN_CONSUMER_RETURN_PLAN_H

#include <stdbool.h>

#include "common/base/clock.h"

enum {
        RETURN_PLAN_KEEP_FOR = 10000, /* ms of work that may wait here */
        RETURN_PLAN_KEEP_MAX = 256,   /* unless the type's concurrency is more */
        RETURN_PLAN_FLOWING = 200,    /* ms: what is gone so soon blocks nothing */
        RETURN_PLAN_SURPLUS = 3,      /* so many come back for each that is needed: estimates err */
        RETURN_PLAN_MAX = 64,
};
/* Then it is looked at again, as there may be more consumers by then. */
#define RETURN_PLAN_LONGEST MSEC_HOUR

struct return_plan {
        unsigned count;
        struct {
                msec at;
                unsigned jobs;
        } planned[RETURN_PLAN_MAX]; /* ascending */
};

/* each_ms: the slots take one job every so many ms. UINT_MAX: nothing need be sent away. */
unsigned return_plan_keep(int64_t limit, double each_ms);
/* For how long the next one is sent away while `stock` wait here: the time of a delay bucket. */
msec return_plan_next(struct return_plan *r, unsigned stock, double each_ms, msec now);
/* Nothing more will come back. */
bool return_plan_is_over(const struct return_plan *r, msec now);

#endif
