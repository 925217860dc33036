/* SPDX-License-Identifier: Apache-2.0
 *
 * delay.c: the table of delay buckets and the choice among them.
 */
#include "common/model/delay.h"

#include <stdint.h>
#include <stdlib.h>

#define DAYS(n) ((msec)(n)*MSEC_DAY)

/* Ascending. Take the sum of any two buckets, and from it the largest bucket that fits: the rest is
 * again a bucket. So a rounded backoff takes at most two hops. */
const struct delay_bucket delay_buckets[DELAY_BUCKET_COUNT] = {
        {"100ms", 100},
        {"200ms", 200},
        {"500ms", 500},
        {"1s", MSEC_SECOND},
        {"2s", 2 * MSEC_SECOND},
        {"5s", 5 * MSEC_SECOND},
        {"10s", 10 * MSEC_SECOND},
        {"20s", 20 * MSEC_SECOND},
        {"30s", 30 * MSEC_SECOND},
        {"1m", MSEC_MINUTE},
        {"2m", 2 * MSEC_MINUTE},
        {"5m", 5 * MSEC_MINUTE},
        {"10m", 10 * MSEC_MINUTE},
        {"20m", 20 * MSEC_MINUTE},
        {"30m", 30 * MSEC_MINUTE},
        {"1h", MSEC_HOUR},
        {"2h", 2 * MSEC_HOUR},
        {"4h", 4 * MSEC_HOUR},
        {"8h", 8 * MSEC_HOUR},
        {"12h", 12 * MSEC_HOUR},
        {"1d", DAYS(1)},
        {"2d", DAYS(2)},
        {"4d", DAYS(4)},
        {"7d", DAYS(7)},
        {"14d", DAYS(14)},
        {"30d", DAYS(30)},
};

const struct delay_bucket *delay_bucket_for(msec left)
{
        const struct delay_bucket *best = NULL;

        for (int i = 0; i < DELAY_BUCKET_COUNT; i++) {
                if (delay_buckets[i].ttl - DELAY_SLACK > left)
                        break;
                best = &delay_buckets[i];
        }
        return best;
}

msec delay_round(msec wait)
{
        msec best = delay_buckets[0].ttl;

        if (wait <= best)
                return best;
        if (wait > 2 * delay_buckets[DELAY_BUCKET_COUNT - 1].ttl)
                return 2 * delay_buckets[DELAY_BUCKET_COUNT - 1].ttl;
        for (int i = 0; i < DELAY_BUCKET_COUNT; i++) {
                for (int j = -1; j <= i; j++) {
                        msec sum = delay_buckets[i].ttl + (j < 0 ? 0 : delay_buckets[j].ttl);
                        if (llabs(sum - wait) < llabs(best - wait))
                                best = sum;
                }
        }
        return best;
}

enum wait_step delay_step(msec run_at, msec now, msec hold, msec *left,
                          const struct delay_bucket **bucket)
{
        *bucket = NULL;
        if (run_at <= now) {
                *left = 0;
                return WAIT_RUN_NOW;
        }
        if (__builtin_sub_overflow(run_at, now, left))
                *left = INT64_MAX;
        if (*left <= hold)
                return WAIT_HOLD;
        *bucket = delay_bucket_for(*left);
        return WAIT_HOP;
}
