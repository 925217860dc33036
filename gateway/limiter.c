/* SPDX-License-Identifier: Apache-2.0
 *
 * limiter.c: token buckets, one per tenant that submits to this gateway.
 */
#include "gateway/limiter.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"

static double token_ms(const struct rate *rate)
{
        return (double)rate->per / (double)rate->count;
}

static void refill(struct bucket *b, const struct rate *rate, msec now)
{
        double refilled = now > b->at ? (double)(now - b->at) / token_ms(rate) : 0;

        b->used = fmin(fmax(b->used - refilled, 0), (double)rate->burst);
        b->at = now;
}

struct allowance bucket_take(struct bucket *b, const struct rate *rate, msec now,
                             enum bucket_want want)
{
        struct allowance a = {.granted = true};

        if (rate->count == RECORD_UNLIMITED)
                return a;
        a.limited = true;
        /* A rate of zero never refills. */
        if (rate->count <= 0 || rate->burst <= 0) {
                a.granted = false;
                a.reset = a.retry = MSEC_DAY;
                return a;
        }
        refill(b, rate, now);
        double left = (double)rate->burst - b->used;
        a.granted = left >= 1 - 1e-9;
        if (a.granted && want == BUCKET_TAKE) {
                b->used += 1;
                left -= 1;
        }
        a.remaining = (int64_t)floor(fmax(left, 0) + 1e-9);
        a.reset = (msec)ceil(b->used * token_ms(rate) - 1e-6);
        a.retry = left >= 1 - 1e-9 ? 0 : (msec)ceil((1 - left) * token_ms(rate) - 1e-6);
        return a;
}

void bucket_return(struct bucket *b)
{
        b->used = fmax(b->used - 1, 0);
}

static int64_t seconds_up(msec time)
{
        return (time + MSEC_SECOND - 1) / MSEC_SECOND;
}

void rate_policy_text(const struct rate *rate, char out[LIMIT_TEXT_SIZE])
{
        snprintf(out, LIMIT_TEXT_SIZE, "\"tenant\";q=%" PRId64 ";w=%" PRId64, rate->count,
                 seconds_up(rate->per));
}

void allowance_text(const struct allowance *a, char out[LIMIT_TEXT_SIZE])
{
        snprintf(out, LIMIT_TEXT_SIZE, "\"tenant\";r=%" PRId64 ";t=%" PRId64, a->remaining,
                 seconds_up(a->reset));
}

struct limited {
        char tenant[TENANT_SIZE];
        struct bucket bucket;
        UT_hash_handle hh;
};

struct limiter {
        pthread_mutex_t mutex;
        struct limited *tenants; /* at most as many as stream `control` holds */
};

struct limiter *limiter_create(void)
{
        struct limiter *l = xcalloc(1, sizeof(*l));

        pthread_mutex_init(&l->mutex, NULL);
        return l;
}

void limiter_destroy(struct limiter **l)
{
        struct limited *at = NULL;
        struct limited *next = NULL;

        if (*l == NULL)
                return;
        HASH_ITER (hh, (*l)->tenants, at, next) {
                HASH_DEL((*l)->tenants, at);
                free(at);
        }
        pthread_mutex_destroy(&(*l)->mutex);
        free(*l);
        *l = NULL;
}

static struct limited *limited_locked(struct limiter *l, const char *tenant)
{
        struct limited *t = NULL;

        HASH_FIND_STR(l->tenants, tenant, t);
        if (t == NULL) {
                t = xcalloc(1, sizeof(*t));
                snprintf(t->tenant, sizeof(t->tenant), "%s", tenant);
                HASH_ADD_STR(l->tenants, tenant, t);
        }
        return t;
}

struct allowance limiter_take(struct limiter *l, const char *tenant, const struct rate *rate,
                              msec now, enum bucket_want want)
{
        if (rate->count == RECORD_UNLIMITED)
                return (struct allowance){.granted = true};
        pthread_mutex_lock(&l->mutex);
        struct allowance a = bucket_take(&limited_locked(l, tenant)->bucket, rate, now, want);
        pthread_mutex_unlock(&l->mutex);
        return a;
}

void limiter_return(struct limiter *l, const char *tenant)
{
        struct limited *t = NULL;

        pthread_mutex_lock(&l->mutex);
        HASH_FIND_STR(l->tenants, tenant, t);
        if (t != NULL)
                bucket_return(&t->bucket);
        pthread_mutex_unlock(&l->mutex);
}

void limiter_forget(struct limiter *l, const char *tenant)
{
        struct limited *t = NULL;

        pthread_mutex_lock(&l->mutex);
        HASH_FIND_STR(l->tenants, tenant, t);
        if (t != NULL)
                HASH_DEL(l->tenants, t);
        pthread_mutex_unlock(&l->mutex);
        free(t);
}
