/* SPDX-License-Identifier: Apache-2.0
 *
 * backlog.c: counts the tenants' queues by passive declare.
 */
#include "gateway/backlog.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "common/base/alarm.h"
#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/clients/queue_counter.h"
#include "common/model/record.h"

enum {
        COUNT_EVERY_MS = 1000,
        ACTIVE_MS = 10 * MSEC_SECOND,
        FIRST_COUNT_MS = 500,
        RETRY_MAX = 60,    /* seconds */
        RETRY_UNKNOWN = 5, /* before two counts */
};

struct counted {
        char tenant[TENANT_SIZE];
        int64_t pending;  /* at the last count */
        int64_t admitted; /* since that count was requested */
        msec active_at;   /* time of the last submission */
        msec counted_at;  /* time of the last count; 0: there was none */
        double drain;     /* jobs that leave the queues in a second, smoothed */
        bool drain_known; /* after two counts */
        bool counting;
        bool counted; /* at least once, or the wait for the first count timed out */
        UT_hash_handle hh;
};

struct backlog {
        /* loop thread only */
        struct alarm *alarm;
        struct link *counter;
        /* guarded by mutex */
        pthread_mutex_t mutex;
        pthread_cond_t counted; /* signalled after every count */
        struct counted *tenants;
};

/* A count of one tenant, from its request to its answer. */
struct count_request {
        struct backlog *backlog;
        char tenant[TENANT_SIZE];
        int64_t admitted_before;
        struct count_request *next; /* in the list of choose() */
};

static struct counted *find_locked(struct backlog *b, const char *tenant)
{
        struct counted *t = NULL;

        HASH_FIND_STR(b->tenants, tenant, t);
        return t;
}

/* False when a lane could not be counted. */
static bool sum_of(const struct tenant_count *c, int64_t *sum)
{
        *sum = 0;
        for (int lane = 0; lane < LANE_COUNT; lane++) {
                if (c->lanes[lane].state != LANE_COUNTED)
                        return false;
                *sum += c->lanes[lane].jobs;
        }
        return true;
}

/* What this gateway admitted between two counts has left too, or is in the later one. */
static void learn_drain(struct counted *t, int64_t admitted, int64_t pending, msec now)
{
        if (t->counted_at != 0 && now > t->counted_at) {
                double gone = (double)(t->pending + admitted - pending);
                double drain = gone * MSEC_SECOND / (double)(now - t->counted_at);
                t->drain = t->drain_known ? (t->drain + drain) / 2 : drain;
                t->drain_known = true;
        }
        t->counted_at = now;
}

/* Seconds until there is room for one more. */
static int64_t retry_after(const struct counted *t, int64_t max_pending)
{
        double excess = (double)(t->pending + t->admitted - max_pending + 1);

        if (!t->drain_known)
                return RETRY_UNKNOWN;
        if (t->drain * RETRY_MAX <= excess)
                return RETRY_MAX;
        return (int64_t)fmax(ceil(excess / t->drain), 1);
}

static void on_counted(void *owner, const char *tenant, const struct tenant_count *c)
{
        AUTO_FREE struct count_request *request = owner;
        struct backlog *b = request->backlog;
        int64_t sum = 0;

        pthread_mutex_lock(&b->mutex);
        struct counted *t = find_locked(b, tenant);
        if (t != NULL) {
                t->counting = false;
                t->counted = true;
                if (sum_of(c, &sum)) {
                        learn_drain(t, request->admitted_before, sum, clock_mono());
                        t->pending = sum;
                        t->admitted -= request->admitted_before;
                }
        }
        pthread_cond_broadcast(&b->counted);
        pthread_mutex_unlock(&b->mutex);
}

static void count(struct count_request *request)
{
        queue_counter_count(request->backlog->counter, request->tenant, on_counted, request);
}

static struct count_request *begin_count_locked(struct backlog *b, struct counted *t)
{
        struct count_request *request = xcalloc(1, sizeof(*request));

        snprintf(request->tenant, sizeof(request->tenant), "%s", t->tenant);
        request->backlog = b;
        request->admitted_before = t->admitted;
        t->counting = true;
        return request;
}

/* The tenants to count now, as a list. Frees those that have not submitted for ACTIVE_MS. */
static struct count_request *choose(struct backlog *b)
{
        struct counted *t = NULL;
        struct counted *next = NULL;
        struct count_request *chosen = NULL;
        msec now = clock_mono();

        pthread_mutex_lock(&b->mutex);
        HASH_ITER (hh, b->tenants, t, next) {
                if (t->counting)
                        continue;
                if (now - t->active_at > ACTIVE_MS) {
                        HASH_DEL(b->tenants, t);
                        free(t);
                        continue;
                }
                struct count_request *request = begin_count_locked(b, t);
                LL_PREPEND(chosen, request);
        }
        pthread_mutex_unlock(&b->mutex);
        return chosen;
}

static void on_alarm(void *owner)
{
        struct backlog *b = owner;
        struct count_request *request = NULL;
        struct count_request *next = NULL;

        if (!link_is_up(b->counter))
                return;
        LL_FOREACH_SAFE (choose(b), request, next)
                count(request);
}

struct backlog *backlog_create(const struct link_config *c, uv_loop_t *loop, struct err *e)
{
        AUTO(backlog) b = xcalloc(1, sizeof(*b));

        pthread_mutex_init(&b->mutex, NULL);
        condition_init(&b->counted);
        b->counter = link_create(c, NULL, NULL, loop, e);
        if (b->counter == NULL)
                return NULL;
        b->alarm = alarm_create(loop, on_alarm, b);
        alarm_set_every(b->alarm, COUNT_EVERY_MS);
        return TAKE(b);
}

void backlog_destroy(struct backlog **backlog)
{
        struct backlog *b = TAKE(*backlog);
        struct counted *t, *next;

        if (b == NULL)
                return;
        link_destroy(&b->counter);
        alarm_destroy(&b->alarm);
        HASH_ITER (hh, b->tenants, t, next) {
                HASH_DEL(b->tenants, t);
                free(t);
        }
        pthread_cond_destroy(&b->counted);
        pthread_mutex_destroy(&b->mutex);
        free(b);
}

static struct counted *find_or_add_locked(struct backlog *b, const char *tenant)
{
        struct counted *t = find_locked(b, tenant);

        if (t == NULL) {
                t = xcalloc(1, sizeof(*t));
                snprintf(t->tenant, sizeof(t->tenant), "%s", tenant);
                HASH_ADD_STR(b->tenants, tenant, t);
        }
        t->active_at = clock_mono();
        return t;
}

/* Unlocks the mutex in between: `t` may be freed then. */
static void make_first_count_locked(struct backlog *b, struct counted *t, const char *tenant)
{
        struct count_request *first = t->counting ? NULL : begin_count_locked(b, t);
        msec until = clock_mono() + FIRST_COUNT_MS;
        bool late = false;

        pthread_mutex_unlock(&b->mutex);
        if (first != NULL)
                count(first);
        pthread_mutex_lock(&b->mutex);
        while ((t = find_locked(b, tenant)) != NULL && !t->counted && !late)
                late = !condition_wait(&b->counted, &b->mutex, until);
        if (t != NULL)
                t->counted = true;
}

bool backlog_admit(struct backlog *b, const char *tenant, int64_t max_pending, int64_t *retry)
{
        if (max_pending == RECORD_UNLIMITED)
                return true;

        pthread_mutex_lock(&b->mutex);
        struct counted *t = find_or_add_locked(b, tenant);
        if (!t->counted && link_is_up(b->counter)) {
                make_first_count_locked(b, t, tenant);
                t = find_or_add_locked(b, tenant);
        }
        bool admitted = t->pending + t->admitted < max_pending;
        if (admitted)
                t->admitted++;
        else
                *retry = retry_after(t, max_pending);
        pthread_mutex_unlock(&b->mutex);
        return admitted;
}

void backlog_return(struct backlog *b, const char *tenant)
{
        pthread_mutex_lock(&b->mutex);
        struct counted *t = find_locked(b, tenant);
        /* A count that was requested after the admission has subtracted it already. */
        if (t != NULL && t->admitted > 0)
                t->admitted--;
        pthread_mutex_unlock(&b->mutex);
}

void backlog_forget(struct backlog *b, const char *tenant)
{
        pthread_mutex_lock(&b->mutex);
        struct counted *t = find_locked(b, tenant);
        if (t != NULL)
                HASH_DEL(b->tenants, t);
        pthread_mutex_unlock(&b->mutex);
        free(t);
}
