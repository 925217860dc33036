/* SPDX-License-Identifier: Apache-2.0
 *
 * delay.h: the delay buckets (exchanges whose queue has a TTL), and the choice of one for a job.
 */
#pragma once

#include "common/base/clock.h"

struct delay_bucket {
        const char *name; /* "30s": exchange and queue delay.30s */
        msec ttl;
};

enum { DELAY_BUCKET_COUNT = 26 };
extern const struct delay_bucket delay_buckets[DELAY_BUCKET_COUNT]; /* ascending */

/* For a time left of at most this, the consumer holds the job in memory; for one of at most
 * DELAY_HOLD_LONGEST, while it holds few. */
#define DELAY_HOLD_MAX ((msec)250)
#define DELAY_HOLD_LONGEST ((msec)1000)
/* A bucket may be longer than the time left by this much. */
#define DELAY_SLACK ((msec)50)

/* The largest bucket that is <= left + DELAY_SLACK; NULL when even the smallest is too long. */
const struct delay_bucket *delay_bucket_for(msec left);
/* Rounds a retry's backoff to the nearest bucket or sum of two; at least the smallest bucket. */
msec delay_round(msec wait);

enum wait_step { WAIT_RUN_NOW, WAIT_HOLD, WAIT_HOP };

/* What to do with a job that is to run at run_at, when up to `hold` ms are waited in memory. HOLD:
 * keep it in memory for *left ms. HOP: publish it to *bucket. */
enum wait_step delay_step(msec run_at, msec now, msec hold, msec *left,
                          const struct delay_bucket **bucket);
