/* SPDX-License-Identifier: Apache-2.0
 *
 * retry.c: backoff, and the verdict on an attempt that ended.
 */
#include "common/model/retry.h"

#include <math.h>

#include "common/model/delay.h"

msec retry_backoff(const struct retry_policy *p, int64_t attempt, double chance)
{
        double steps = attempt > 1 ? (double)(attempt - 1) : 0;
        double wait = (double)p->base * pow(p->factor, steps);

        /* Negated, so that infinity and NaN are capped too. */
        if (!(wait < (double)p->cap))
                wait = (double)p->cap;
        wait *= 1 + p->jitter * (2 * chance - 1);
        return wait > 0 ? (msec)wait : 0;
}

enum verdict attempt_verdict(const struct attempt_end *end, const struct retry_policy *p,
                             double chance, msec *wait, enum reason *reason)
{
        *wait = 0;
        *reason = REASON_NONE;
        switch (end->outcome) {
        case OUTCOME_DONE:
                return VERDICT_COMPLETE;
        case OUTCOME_STOPPED:
                return VERDICT_CANCEL;
        case OUTCOME_PERMANENT:
                *reason = REASON_PERMANENT;
                return VERDICT_BURY;
        case OUTCOME_RETRY:
                break;
        }
        if (end->attempt > end->max_retries) {
                *reason = REASON_EXHAUSTED;
                return VERDICT_BURY;
        }
        if (end->retry_after > RETRY_AFTER_MAX)
                *wait = RETRY_AFTER_MAX;
        else if (end->retry_after > 0)
                *wait = end->retry_after;
        else
                *wait = delay_round(retry_backoff(p, end->attempt, chance));
        return VERDICT_RETRY;
}
