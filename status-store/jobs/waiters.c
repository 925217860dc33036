/* SPDX-License-Identifier: Apache-2.0
 *
 * waiters.c: threads that wait for a job to change.
 */
#include "status-store/jobs/waiters.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/own.h"

/* A job this young may be confirmed and not yet folded. */
#define YOUNG ((msec)2 * MSEC_SECOND)

struct waiters {
        unsigned max;
        atomic_uint count; /* read without the mutex by waiters_changed */
        pthread_mutex_t mutex;
        pthread_cond_t news;
        struct waiter *all; /* guarded by mutex, like closed */
        bool closed;
};

struct waiters *waiters_create(unsigned max)
{
        struct waiters *w = xcalloc(1, sizeof(*w));
        w->max = max;
        pthread_mutex_init(&w->mutex, NULL);
        condition_init(&w->news);
        return w;
}

void waiters_destroy(struct waiters **w)
{
        if (*w == NULL)
                return;
        pthread_cond_destroy(&(*w)->news);
        pthread_mutex_destroy(&(*w)->mutex);
        free(*w);
        *w = NULL;
}

static unsigned count_locked(const struct waiters *w, const char *tenant)
{
        unsigned count = 0;
        const struct waiter *one;
        LL_FOREACH (w->all, one)
                count += strcmp(one->tenant, tenant) == 0;
        return count;
}

bool waiters_join(struct waiters *w, const char *tenant, const char *id, struct waiter *me)
{
        *me = (struct waiter){0};
        if (bytes_to_text(bytes_of_text(tenant), me->tenant, sizeof(me->tenant)) != 0 ||
            bytes_to_text(bytes_of_text(id), me->id, sizeof(me->id)) != 0)
                return false;
        pthread_mutex_lock(&w->mutex);
        bool room = !w->closed && atomic_load(&w->count) < w->max &&
                    count_locked(w, me->tenant) < (w->max + 1) / 2;
        if (room) {
                LL_PREPEND(w->all, me);
                atomic_fetch_add(&w->count, 1);
        }
        pthread_mutex_unlock(&w->mutex);
        return room;
}

bool waiters_wait(struct waiters *w, struct waiter *me, msec deadline)
{
        pthread_mutex_lock(&w->mutex);
        while (!me->changed && !w->closed && condition_wait(&w->news, &w->mutex, deadline))
                continue;
        bool changed = me->changed;
        me->changed = false;
        pthread_mutex_unlock(&w->mutex);
        return changed;
}

void waiters_leave(struct waiters *w, struct waiter *me)
{
        pthread_mutex_lock(&w->mutex);
        LL_DELETE(w->all, me);
        atomic_fetch_sub(&w->count, 1);
        pthread_mutex_unlock(&w->mutex);
}

msec waiters_young_left(const char *id)
{
        msec born = uuid7_time(id);
        msec age = clock_wall() - born;
        if (born < 0 || age >= YOUNG || age <= -YOUNG)
                return 0;
        return age > 0 ? YOUNG - age : YOUNG;
}

void waiters_changed(struct waiters *w, const char *tenant, const char *id)
{
        if (atomic_load(&w->count) == 0)
                return;
        bool news = false;
        pthread_mutex_lock(&w->mutex);
        struct waiter *one;
        LL_FOREACH (w->all, one) {
                bool same_tenant = one->tenant[0] == '*' || strcmp(one->tenant, tenant) == 0;
                if (same_tenant && strcmp(one->id, id) == 0)
                        one->changed = news = true;
        }
        if (news)
                pthread_cond_broadcast(&w->news);
        pthread_mutex_unlock(&w->mutex);
}

void waiters_close(struct waiters *w)
{
        pthread_mutex_lock(&w->mutex);
        w->closed = true;
        pthread_cond_broadcast(&w->news);
        pthread_mutex_unlock(&w->mutex);
}
