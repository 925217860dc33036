/* SPDX-License-Identifier: Apache-2.0
 *
 * limiter.c: token buckets, one per tenant. A bucket is one number, the time at which it is full
 * again: what was admitted in between, here or elsewhere, moves it, in whatever order it is told.
 */
#include "gateway/limiter.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "common/base/memory.h"

/* How far below empty others' submissions may take a bucket. Without a bound, a tenant would pay
 * for an hour in which the gateways did not hear of each other. With less than what several
 * gateways admit before they do, the rate would not be exact in the long run. */
enum { DEBT_BURSTS = 2, DEBT_MS = 2 * MSEC_SECOND };

struct bucket {
        char tenant[TENANT_SIZE];
        double full_at;  /* when it is full again; each token taken moves it by token_ms */
        double own_at;   /* the same, if only this gateway had taken tokens: never later */
        double token_ms; /* time for one token */
        int64_t burst;
        int64_t untold; /* taken since limiter_collect; below zero: given back */
        bool listed;
        struct bucket *prev, *next; /* in the list of those with `untold` */
        UT_hash_handle hh;
};

struct limiter {
        pthread_mutex_t mutex;
        struct bucket *buckets; /* at most as many as stream `control` holds tenants */
        struct bucket *untold;
        msec untold_since; /* the first token of the list was taken */
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

static double adapted(const struct bucket *b, double at, const struct tenant_record *t, double now)
{
        double token_ms = (double)t->rate_per / (double)t->rate_count;

        if (at <= now)
                return at;
        return now + fmin((at - now) / b->token_ms, (double)t->burst) * token_ms;
}

/* Keeps the number of tokens taken when the rate changes. A smaller burst leaves no debt. */
static void adapt(struct bucket *b, const struct tenant_record *t, double now)
{
        double token_ms = (double)t->rate_per / (double)t->rate_count;
        bool same = b->burst == t->burst && fabs(b->token_ms - token_ms) < 1e-9;

        if (!same) {
                b->full_at = adapted(b, b->full_at, t, now);
                b->own_at = adapted(b, b->own_at, t, now);
        }
        b->token_ms = token_ms;
        b->burst = t->burst;
}

static struct bucket *add_locked(struct limiter *l, const char *tenant)
{
        struct bucket *b = xcalloc(1, sizeof(*b));

        snprintf(b->tenant, sizeof(b->tenant), "%s", tenant);
        b->full_at = b->own_at = -INFINITY;
        HASH_ADD_STR(l->buckets, tenant, b);
        return b;
}

static struct bucket *bucket_of_locked(struct limiter *l, const struct tenant_record *t, msec now)
{
        struct bucket *b = find_locked(l, t->name);

        if (b == NULL)
                b = add_locked(l, t->name);
        adapt(b, t, (double)now);
        return b;
}

static void note_locked(struct limiter *l, struct bucket *b, int64_t count, msec now)
{
        b->untold += count;
        if (b->listed)
                return;
        if (l->untold == NULL)
                l->untold_since = now;
        DL_APPEND(l->untold, b);
        b->listed = true;
}

static struct allowance look(const struct bucket *b, msec now)
{
        double used_ms = fmax(b->full_at - (double)now, 0);
        double left = (double)b->burst - used_ms / b->token_ms;
        bool granted = left >= 1 - 1e-9;

        return (struct allowance){
                .limited = true,
                .granted = granted,
                .remaining = (int64_t)floor(fmax(left, 0) + 1e-9),
                .reset = (msec)ceil(used_ms - 1e-6),
                .retry = granted ? 0 : (msec)ceil((1 - left) * b->token_ms - 1e-6),
        };
}

/* A rate of zero never refills. */
static bool never_refills(const struct tenant_record *t)
{
        return t->rate_count <= 0 || t->rate_per <= 0 || t->burst <= 0;
}

static struct allowance take_locked(struct limiter *l, struct bucket *b, msec now)
{
        if (!look(b, now).granted)
                return look(b, now);
        b->full_at = fmax(b->full_at, (double)now) + b->token_ms;
        b->own_at = fmax(b->own_at, (double)now) + b->token_ms;
        note_locked(l, b, 1, now);
        struct allowance a = look(b, now);
        a.granted = true;
        return a;
}

struct allowance limiter_take(struct limiter *l, const struct tenant_record *t, msec now,
                              enum bucket_want want)
{
        if (t->rate_count == RECORD_UNLIMITED)
                return (struct allowance){.granted = true};
        if (never_refills(t))
                return (struct allowance){.limited = true, .reset = MSEC_DAY, .retry = MSEC_DAY};
        pthread_mutex_lock(&l->mutex);
        struct bucket *b = bucket_of_locked(l, t, now);
        struct allowance a = want == BUCKET_TAKE ? take_locked(l, b, now) : look(b, now);
        pthread_mutex_unlock(&l->mutex);
        return a;
}

void limiter_return(struct limiter *l, const char *tenant)
{
        pthread_mutex_lock(&l->mutex);
        struct bucket *b = find_locked(l, tenant);
        if (b != NULL) {
                b->full_at -= b->token_ms;
                b->own_at -= b->token_ms;
                note_locked(l, b, -1, clock_mono());
        }
        pthread_mutex_unlock(&l->mutex);
}

void limiter_update(struct limiter *l, const struct tenant_record *t, msec now)
{
        if (never_refills(t))
                return;
        pthread_mutex_lock(&l->mutex);
        struct bucket *b = find_locked(l, t->name);
        if (b != NULL)
                adapt(b, t, (double)now);
        pthread_mutex_unlock(&l->mutex);
}

void limiter_forget(struct limiter *l, const char *tenant)
{
        pthread_mutex_lock(&l->mutex);
        struct bucket *b = find_locked(l, tenant);
        if (b != NULL) {
                HASH_DEL(l->buckets, b);
                if (b->listed)
                        DL_DELETE(l->untold, b);
        }
        pthread_mutex_unlock(&l->mutex);
        free(b);
}

/* Never makes it full earlier. */
static void move_full_at(struct bucket *b, double to, double at)
{
        double most = at + (1 + DEBT_BURSTS) * (double)b->burst * b->token_ms + DEBT_MS;

        b->full_at = fmax(b->full_at, fmin(to, most));
}

void limiter_charge(struct limiter *l, const struct tenant_record *t, int64_t count, msec at)
{
        if (never_refills(t))
                return;
        pthread_mutex_lock(&l->mutex);
        struct bucket *b = bucket_of_locked(l, t, at);
        double cost = (double)count * b->token_ms;
        if (count < 0)
                b->full_at = fmax(b->full_at + cost, b->own_at);
        else
                move_full_at(b, fmax(b->full_at, (double)at) + cost, (double)at);
        pthread_mutex_unlock(&l->mutex);
}

void limiter_raise(struct limiter *l, const struct tenant_record *t, msec full_in, msec at)
{
        if (never_refills(t))
                return;
        pthread_mutex_lock(&l->mutex);
        move_full_at(bucket_of_locked(l, t, at), (double)at + (double)full_in, (double)at);
        pthread_mutex_unlock(&l->mutex);
}

msec limiter_collect(struct limiter *l, size_t most, limiter_each_fn *each, void *owner)
{
        struct bucket *b = NULL;
        size_t passed = 0;

        pthread_mutex_lock(&l->mutex);
        msec since = l->untold_since;
        while (passed < most && (b = l->untold) != NULL) {
                DL_DELETE(l->untold, b);
                b->listed = false;
                int64_t untold = b->untold;
                b->untold = 0;
                if (untold == 0)
                        continue;
                each(owner, b->tenant, untold);
                passed++;
        }
        pthread_mutex_unlock(&l->mutex);
        return passed > 0 ? since : 0;
}

/* The bucket behind that of the tenant; of "" the first. NULL at the end. */
static const struct bucket *after_locked(const struct limiter *l, const char *tenant)
{
        if (*tenant == '\0')
                return l->buckets;
        const struct bucket *b = find_locked(l, tenant);
        return b != NULL ? b->hh.next : NULL;
}

bool limiter_levels(struct limiter *l, msec now, const struct limiter_pack *pack,
                    limiter_each_fn *each, void *owner)
{
        size_t looked = 0;

        pthread_mutex_lock(&l->mutex);
        const struct bucket *b = after_locked(l, pack->last);
        for (; b != NULL && looked < pack->most; b = b->hh.next, looked++) {
                double full_in = b->full_at - (double)now - (double)b->untold * b->token_ms;
                if (full_in >= 1)
                        each(owner, b->tenant, (int64_t)full_in);
                memcpy(pack->last, b->tenant, sizeof(b->tenant));
        }
        pthread_mutex_unlock(&l->mutex);
        return b != NULL;
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
