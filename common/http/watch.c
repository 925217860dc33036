/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.c: a list of deadlines, checked every 100 ms.
 */
#include "common/http/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <utlist.h>

#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum { TICK_MS = 100, IDLE_LEAST_MS = 500, ANSWER_LEAST_MS = 1000 };

struct watch {
        /* before start */
        unsigned (*excess)(void *owner);
        void *owner;
        pthread_t thread;
        bool started;
        /* guarded by mutex */
        pthread_mutex_t mutex;
        pthread_cond_t stop_cond;
        bool stopping;
        msec last_deadline;      /* for all entries; 0: none */
        struct watched *entries; /* the oldest first */
};

static void expire(struct watched *entry)
{
        entry->expired = true;
        shutdown(entry->fd, entry->what == WATCH_ANSWER ? SHUT_RDWR : SHUT_RD);
}

static void expire_locked(struct watch *w)
{
        msec now = clock_mono();
        bool all = w->last_deadline != 0 && now >= w->last_deadline;
        struct watched *at = NULL;

        DL_FOREACH (w->entries, at) {
                if (!at->expired && (all || now >= at->deadline))
                        expire(at);
        }
}

static bool may_end_early(const struct watched *entry, msec now)
{
        switch (entry->what) {
        case WATCH_IDLE:
                return now - entry->since >= IDLE_LEAST_MS;
        case WATCH_ANSWER:
                return now - entry->since >= ANSWER_LEAST_MS;
        case WATCH_BODY:
                return false;
        }
        return false;
}

unsigned watch_relieve(struct watch *w, unsigned count)
{
        msec now = clock_mono();
        struct watched *at = NULL;
        unsigned ended = 0;

        pthread_mutex_lock(&w->mutex);
        DL_FOREACH (w->entries, at) {
                if (ended == count)
                        break;
                if (at->expired || !may_end_early(at, now))
                        continue;
                expire(at);
                ended++;
        }
        pthread_mutex_unlock(&w->mutex);
        return ended;
}

void watch_limit_all(struct watch *w, msec limit)
{
        pthread_mutex_lock(&w->mutex);
        w->last_deadline = clock_mono() + limit;
        pthread_mutex_unlock(&w->mutex);
}

static void *run(void *owner)
{
        struct watch *w = owner;

        pthread_mutex_lock(&w->mutex);
        while (!w->stopping) {
                condition_wait(&w->stop_cond, &w->mutex, clock_mono() + TICK_MS);
                expire_locked(w);
                pthread_mutex_unlock(&w->mutex);
                watch_relieve(w, w->excess(w->owner));
                pthread_mutex_lock(&w->mutex);
        }
        pthread_mutex_unlock(&w->mutex);
        return NULL;
}

struct watch *watch_create(unsigned (*excess)(void *owner), void *owner, struct err *e)
{
        AUTO(watch) w = xcalloc(1, sizeof(*w));

        w->excess = excess;
        w->owner = owner;
        pthread_mutex_init(&w->mutex, NULL);
        condition_init(&w->stop_cond);
        errno = pthread_create(&w->thread, NULL, run, w);
        if (errno != 0) {
                err_set_errno(e, "cannot start a thread");
                return NULL;
        }
        w->started = true;
        return TAKE(w);
}

void watch_destroy(struct watch **w)
{
        if (*w == NULL)
                return;
        pthread_mutex_lock(&(*w)->mutex);
        (*w)->stopping = true;
        pthread_cond_signal(&(*w)->stop_cond);
        pthread_mutex_unlock(&(*w)->mutex);
        if ((*w)->started)
                pthread_join((*w)->thread, NULL);
        pthread_cond_destroy(&(*w)->stop_cond);
        pthread_mutex_destroy(&(*w)->mutex);
        free(*w);
        *w = NULL;
}

void watch_begin(struct watch *w, struct watched *entry, int fd, enum watch_what what, msec limit)
{
        msec now = clock_mono();

        *entry = (struct watched){.fd = fd, .what = what, .since = now, .deadline = now + limit};
        pthread_mutex_lock(&w->mutex);
        DL_APPEND(w->entries, entry);
        pthread_mutex_unlock(&w->mutex);
}

bool watch_end(struct watch *w, struct watched *entry)
{
        pthread_mutex_lock(&w->mutex);
        DL_DELETE(w->entries, entry);
        pthread_mutex_unlock(&w->mutex);
        return entry->expired;
}
