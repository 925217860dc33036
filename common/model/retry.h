/* SPDX-License-Identifier: Apache-2.0
 *
 * retry.h: decides what follows an attempt that ended. Pure.
 */
#pragma once

#include <stdint.h>

#include "common/base/clock.h"
#include "common/model/reason.h"

struct retry_policy {
        msec base, cap;
        double factor;
        double jitter; /* 0 to 1: the wait is multiplied by 1 - jitter to 1 + jitter */
};

#define RETRY_POLICY_DEFAULT \
        ((struct retry_policy){.base = 1000, .cap = 600000, .factor = 2, .jitter = 0.2})
#define RETRY_AFTER_MAX ((msec)30 * MSEC_DAY)

enum outcome {
        OUTCOME_DONE,
        OUTCOME_RETRY,     /* failed; may be tried again */
        OUTCOME_PERMANENT, /* failed; not to be tried again */
        OUTCOME_STOPPED,   /* stopped by a cancellation: not counted as an attempt */
};

struct attempt_end {
        enum outcome outcome;
        int64_t attempt; /* the one that ended, from 1 */
        int64_t max_retries;
        msec retry_after; /* set by the handler; 0: the policy decides */
};

enum verdict { VERDICT_COMPLETE, VERDICT_RETRY, VERDICT_BURY, VERDICT_CANCEL };

/* chance: random, in [0,1), for the jitter. *wait: for RETRY; rounded by delay_round unless the
 * handler set it. *reason: for BURY. */
enum verdict attempt_verdict(const struct attempt_end *end, const struct retry_policy *p,
                             double chance, msec *wait, enum reason *reason);
/* The backoff before attempt + 1. Never overflows, never above cap * (1 + jitter). */
msec retry_backoff(const struct retry_policy *p, int64_t attempt, double chance);
