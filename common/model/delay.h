/* SPDX-License-Identifier: Apache-2.0
 *
 * delay.h: the delay buckets, and which one a waiting job goes to.
 */
#ifndef WARREN_MODEL_DELAY_H
#define WARREN_MODEL_DELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/clock.h"

struct delay_bucket {
        const char *name; /* "30s": exchange and queue delay.30s */
        msec ttl;
};

enum { DELAY_BUCKET_COUNT = 26 };
extern const struct delay_bucket delay_buckets[DELAY_BUCKET_COUNT]; /* ascending */

/* A time left of at most this is held in the consumer's memory, not sent on. */
#define DELAY_HOLD_MAX ((msec)100)
/* A bucket may outlast the time left by this much. */
#define DELAY_SLACK ((msec)50)

/* The largest bucket that is <= left + DELAY_SLACK; NULL when even the smallest is too long. */
const struct delay_bucket *delay_bucket_for(msec left);
/* Rounds a retry's backoff to one bucket or the sum of two, nearest; at least the smallest. */
msec delay_round(msec wait);

enum wait_step { WAIT_RUN_NOW, WAIT_HOLD, WAIT_HOP };

/* What to do with a job that wants to run at run_at. HOLD: for *left ms, in memory. HOP: to
 * *bucket. */
enum wait_step delay_step(msec run_at, msec now, msec *left, const struct delay_bucket **bucket);

#endif
