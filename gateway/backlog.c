/* SPDX-License-Identifier: Apache-2.0
 *
 * backlog.c: counting tenants' queues by passive declare.
 */
#include "gateway/backlog.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/model/job.h"
#include "common/model/record.h"

enum { COUNT_EVERY_MS = 1000, ACTIVE_MS = 10 * MSEC_SECOND };

struct counted {
        char tenant[TENANT_SIZE];
        int64_t pending;  /* at the last count */
        int64_t admitted; /* since that count was asked for */
        msec active_at;   /* the last submission */
        bool counting;
        UT_hash_handle hh;
};

struct backlog {
        /* loop thread only */
        uv_timer_t timer;
        struct link *link;
        /* guarded by mutex */
        pthread_mutex_t mutex;
        struct counted *tenants;
};

/* One count of one tenant: its lanes' sum, while answers are outstanding. */
struct tally {
        struct backlog *backlog;
        char tenant[TENANT_SIZE];
        int outstanding;
        int64_t sum;
        int64_t admitted_before;
        bool failed;
        struct tally *next; /* until it is counted */
};

static struct counted *find_locked(struct backlog *b, const char *tenant)
{
        struct counted *t = NULL;

        HASH_FIND_STR(b->tenants, tenant, t);
        return t;
}

static void finish(struct tally *tally)
{
        struct backlog *b = tally->backlog;

        pthread_mutex_lock(&b->mutex);
        struct counted *t = find_locked(b, tally->tenant);
        if (t != NULL) {
                t->counting = false;
                if (!tally->failed) {
                        t->pending = tally->sum;
                        t->admitted -= tally->admitted_before;
                }
        }
        pthread_mutex_unlock(&b->mutex);
        free(tally);
}

static void on_count(void *owner, const struct err *why, uint32_t messages, uint32_t consumers)
{
        struct tally *tally = owner;

        (void)consumers;
        if (why != NULL && err_is_set(why))
                tally->failed = true;
        else
                tally->sum += messages;
        if (--tally->outstanding == 0)
                finish(tally);
}

static void count(struct backlog *b, struct tally *tally)
{
        char name[64];

        tally->backlog = b;
        tally->outstanding = LANE_COUNT;
        for (int lane = 0; lane < LANE_COUNT; lane++) {
                snprintf(name, sizeof(name), "jobs.%s.%s", tally->tenant,
                         lane_name((enum lane)lane));
                link_declare(b->link, &(struct declaration){.what = COUNT_QUEUE, .name = name},
                             on_count, tally);
        }
}

/* Which tenants to count now, as a list; those long silent are dropped. */
static struct tally *choose(struct backlog *b)
{
        struct counted *t = NULL;
        struct counted *next = NULL;
        struct tally *chosen = NULL;
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
                struct tally *tally = xcalloc(1, sizeof(*tally));
                snprintf(tally->tenant, sizeof(tally->tenant), "%s", t->tenant);
                tally->admitted_before = t->admitted;
                t->counting = true;
                LL_PREPEND(chosen, tally);
        }
        pthread_mutex_unlock(&b->mutex);
        return chosen;
}

static void on_timer(uv_timer_t *timer)
{
        struct backlog *b = timer->data;
        struct tally *tally = NULL;
        struct tally *next = NULL;

        if (!link_is_up(b->link))
                return;
        LL_FOREACH_SAFE (choose(b), tally, next)
                count(b, tally);
}

struct backlog *backlog_create(const struct link_config *c, uv_loop_t *loop, struct err *e)
{
        static const struct link_events no_events;
        struct backlog *b = xcalloc(1, sizeof(*b));

        b->link = link_create(c, &no_events, b, loop, e);
        if (b->link == NULL) {
                free(b);
                return NULL;
        }
        pthread_mutex_init(&b->mutex, NULL);
        uv_timer_init(loop, &b->timer);
        b->timer.data = b;
        uv_timer_start(&b->timer, on_timer, COUNT_EVERY_MS, COUNT_EVERY_MS);
        return b;
}

static void on_closed(uv_handle_t *handle)
{
        struct backlog *b = handle->data;
        struct counted *t = NULL;
        struct counted *next = NULL;

        HASH_ITER (hh, b->tenants, t, next) {
                HASH_DEL(b->tenants, t);
                free(t);
        }
        pthread_mutex_destroy(&b->mutex);
        free(b);
}

void backlog_destroy(struct backlog **b)
{
        if (*b == NULL)
                return;
        link_destroy(&(*b)->link);
        uv_close((uv_handle_t *)&(*b)->timer, on_closed);
        *b = NULL;
}

bool backlog_admit(struct backlog *b, const char *tenant, int64_t max_pending)
{
        if (max_pending == RECORD_UNLIMITED)
                return true;

        pthread_mutex_lock(&b->mutex);
        struct counted *t = find_locked(b, tenant);
        if (t == NULL) {
                t = xcalloc(1, sizeof(*t));
                snprintf(t->tenant, sizeof(t->tenant), "%s", tenant);
                HASH_ADD_STR(b->tenants, tenant, t);
        }
        t->active_at = clock_mono();
        bool admitted = t->pending + t->admitted < max_pending;
        if (admitted)
                t->admitted++;
        pthread_mutex_unlock(&b->mutex);
        return admitted;
}

void backlog_return(struct backlog *b, const char *tenant)
{
        pthread_mutex_lock(&b->mutex);
        struct counted *t = find_locked(b, tenant);
        /* A count that was asked for after the admission has taken it off already. */
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
