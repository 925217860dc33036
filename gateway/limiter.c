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
#include <uthash.h>

#include "common/base/memory.h"

/* Full when zeroed. */
struct bucket {
        char tenant[TENANT_SIZE];
        double used; /* tokens taken and not yet refilled */
        msec at;     /* of the last refill */
        UT_hash_handle hh;
};

struct limiter {
        pthread_mutex_t mutex;
        struct bucket *buckets; /* at most as many as stream `control` holds tenants */
};

struct limiter *limiter_create(void)
{
        struct limiter *l = xcalloc(1, sizeof(*l));

        pthread_mutex_init(&l->mutex, NULL);
        return l;
}

void limiter_destroy(struct limiter **l)
{
        struct bucket *at = NULL;
        struct bucket *next = NULL;

        if (*l == NULL)
                return;
        HASH_ITER (hh, (*l)->buckets, at, next) {
                HASH_DEL((*l)->buckets, at);
                free(at);
        }
        pthread_mutex_destroy(&(*l)->mutex);
        free(*l);
        *l = NULL;
}

static struct bucket *find_locked(const struct limiter *l, const char *tenant)
{
        struct bucket *b = NULL;

        HASH_FIND_STR(l->buckets, tenant, b);
        return b;
}

static struct bucket *find_or_add_locked(struct limiter *l, const char *tenant)
{
        struct bucket *b = find_locked(l, tenant);

        if (b == NULL) {
                b = xcalloc(1, sizeof(*b));
                snprintf(b->tenant, sizeof(b->tenant), "%s", tenant);
                HASH_ADD_STR(l->buckets, tenant, b);
        }
        return b;
}

static struct allowance take(struct bucket *b, const struct tenant_record *t, msec now,
                             enum bucket_want want)
{
        double token_ms = (double)t->rate_per / (double)t->rate_count;
        double refilled = now > b->at ? (double)(now - b->at) / token_ms : 0;

        b->used = fmin(fmax(b->used - refilled, 0), (double)t->burst);
        b->at = now;
        double left = (double)t->burst - b->used;
        bool granted = left >= 1 - 1e-9;
        if (granted && want == BUCKET_TAKE) {
                b->used += 1;
                left -= 1;
        }
        return (struct allowance){
                .limited = true,
                .granted = granted,
                .remaining = (int64_t)floor(fmax(left, 0) + 1e-9),
                .reset = (msec)ceil(b->used * token_ms - 1e-6),
                .retry = left >= 1 - 1e-9 ? 0 : (msec)ceil((1 - left) * token_ms - 1e-6),
        };
}

struct allowance limiter_take(struct limiter *l, const struct tenant_record *t, msec now,
                              enum bucket_want want)
{
        if (t->rate_count == RECORD_UNLIMITED)
                return (struct allowance){.granted = true};
        /* A rate of zero never refills. */
        if (t->rate_count <= 0 || t->burst <= 0)
                return (struct allowance){.limited = true, .reset = MSEC_DAY, .retry = MSEC_DAY};
        pthread_mutex_lock(&l->mutex);
        struct allowance a = take(find_or_add_locked(l, t->name), t, now, want);
        pthread_mutex_unlock(&l->mutex);
        return a;
}

void limiter_return(struct limiter *l, const char *tenant)
{
        pthread_mutex_lock(&l->mutex);
        struct bucket *b = find_locked(l, tenant);
        if (b != NULL)
                b->used = fmax(b->used - 1, 0);
        pthread_mutex_unlock(&l->mutex);
}

void limiter_forget(struct limiter *l, const char *tenant)
{
        pthread_mutex_lock(&l->mutex);
        struct bucket *b = find_locked(l, tenant);
        if (b != NULL)
                HASH_DEL(l->buckets, b);
        pthread_mutex_unlock(&l->mutex);
        free(b);
}

static int64_t seconds_up(msec time)
{
        return (time + MSEC_SECOND - 1) / MSEC_SECOND;
}

void limit_policy_text(const struct tenant_record *t, char out[LIMIT_TEXT_SIZE])
{
        snprintf(out, LIMIT_TEXT_SIZE, "\"tenant\";q=%" PRId64 ";w=%" PRId64, t->rate_count,
                 seconds_up(t->rate_per));
}

void allowance_text(const struct allowance *a, char out[LIMIT_TEXT_SIZE])
{
        snprintf(out, LIMIT_TEXT_SIZE, "\"tenant\";r=%" PRId64 ";t=%" PRId64, a->remaining,
                 seconds_up(a->reset));
}
