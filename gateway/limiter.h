/* SPDX-License-Identifier: Apache-2.0
 *
 * limiter.h: how fast a tenant may submit: one token bucket per tenant, and the header fields that
 * show it (IETF draft ratelimit-headers). A bucket holds what this gateway admitted and what it was
 * told that others did. Any thread. `now` is monotonic.
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
/* The tenant's record has changed: keeps the number of tokens taken, but no debt. */
void limiter_update(struct limiter *l, const struct tenant_record *t, msec now);
/* Frees the bucket of a deleted tenant. */
void limiter_forget(struct limiter *l, const char *tenant);

/* Another gateway admitted `count` submissions at `at`, which may be past; below zero: it takes so
 * many back, but nothing that was taken here. A bucket so gets less than empty, by two bursts and
 * 2 s of its rate at most. */
void limiter_charge(struct limiter *l, const struct tenant_record *t, int64_t count, msec at);
/* Another gateway knew at `at` that the bucket would be full after `full_in` ms, and not before. */
void limiter_raise(struct limiter *l, const struct tenant_record *t, msec full_in, msec at);

/* Called with the mutex locked: it must be short and not call limiter_*. */
typedef void limiter_each_fn(void *owner, const char *tenant, int64_t value);
/* Calls each with the tokens that were taken here since the last call, less those given back, for
 * each tenant that has some, `most` tenants in all. Returns when the first of them was taken; 0:
 * there are none. */
msec limiter_collect(struct limiter *l, size_t most, limiter_each_fn *each, void *owner);

/* Submissions wait for one pack at most. */
struct limiter_pack {
        size_t most; /* buckets to look at */
        char *last;  /* TENANT_SIZE: of the pack before; "": begin */
};
/* Calls each with the ms until the bucket is full, for each of the next `most` that is not. What
 * limiter_collect has not passed yet is left out. False: there are no more. limiter_forget of the
 * last one in between ends it too. */
bool limiter_levels(struct limiter *l, msec now, const struct limiter_pack *pack,
                    limiter_each_fn *each, void *owner);

enum { LIMIT_TEXT_SIZE = 96 };
/* "tenant";q=10;w=60 */
void limit_policy_text(const struct tenant_record *t, char out[LIMIT_TEXT_SIZE]);
/* "tenant";r=9;t=6 */
void allowance_text(const struct allowance *a, char out[LIMIT_TEXT_SIZE]);
