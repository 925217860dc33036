/* SPDX-License-Identifier: Apache-2.0
 *
 * limiter.h: how fast a tenant may submit: one token bucket per tenant, and the header fields that
 * show it (IETF draft ratelimit-headers). Any thread. `now` is monotonic.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/model/record.h"

struct allowance {
        bool limited; /* false: no limit; reset, retry and remaining mean nothing */
        bool granted;
        int64_t remaining; /* whole tokens left */
        msec reset;        /* until the bucket is full again */
        msec retry;        /* until there is a token; 0: now */
};

enum bucket_want { BUCKET_TAKE, BUCKET_LOOK };

struct limiter;

struct limiter *limiter_create(void);
void limiter_destroy(struct limiter **l);
/* Takes one token if there is one; BUCKET_LOOK takes none. */
struct allowance limiter_take(struct limiter *l, const struct tenant_record *t, msec now,
                              enum bucket_want want);
/* Gives one token back: the submission did not happen. */
void limiter_return(struct limiter *l, const char *tenant);
/* Frees the bucket of a deleted tenant. */
void limiter_forget(struct limiter *l, const char *tenant);

enum { LIMIT_TEXT_SIZE = 96 };
/* "tenant";q=10;w=60 */
void limit_policy_text(const struct tenant_record *t, char out[LIMIT_TEXT_SIZE]);
/* "tenant";r=9;t=6 */
void allowance_text(const struct allowance *a, char out[LIMIT_TEXT_SIZE]);
