/* SPDX-License-Identifier: Apache-2.0
 *
 * returns.h: of a type that is at its own concurrency: how many jobs of one queue wait here, and
 * when those that are sent away come back. Pure.
 *
 * A job that is sent away comes back when, as far as is planned, nothing would wait here any more.
 * So it is away the longer the more were sent away before it, the slots are never idle, and each
 * job hops only so often as the logarithm of their number.
 */
#ifndef WARREN_CONSUMER_RETURNS_H
#define WARREN_CONSUMER_RETURNS_H

#include <stdbool.h>

#include "common/base/clock.h"

enum {
        RETURNS_KEEP_FOR = 10000, /* ms of work that may wait here */
        RETURNS_KEEP_MAX = 256,   /* unless the type's concurrency is more */
        RETURNS_FLOWING = 200,    /* ms: what is gone so soon blocks nothing */
        RETURNS_SURPLUS = 3,      /* so many come back for each that is needed: estimates err */
        RETURNS_MAX = 64,
};
/* Then it is looked at again, as there may be more consumers by then. */
#define RETURNS_LONGEST MSEC_HOUR

struct returns {
        unsigned count;
        struct {
                msec at;
                unsigned jobs;
        } planned[RETURNS_MAX]; /* ascending */
};

/* each_ms: the slots take one job every so many ms. UINT_MAX: nothing need be sent away. */
unsigned returns_keep(int64_t limit, double each_ms);
/* For how long the next one is sent away while `stock` wait here: the time of a delay bucket. */
msec returns_plan(struct returns *r, unsigned stock, double each_ms, msec now);
/* Nothing more will come back. */
bool returns_are_over(const struct returns *r, msec now);

#endif
