/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.c: deadlines for reads inside civetweb.
 */
#include "common/http/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/connection.h"

enum { TICK_MS = 100 };

struct watch {
        pthread_t thread;
        bool started;
        /* guarded by mutex */
        pthread_mutex_t mutex;
        pthread_cond_t stop_cond;
        bool stopping;
        struct watched *entries;
};

static void expire_locked(struct watch *w)
{
        msec now = clock_mono();
        struct watched *at = NULL;

        DL_FOREACH (w->entries, at) {
                if (at->expired || now < at->deadline)
                        continue;
                at->expired = true;
                shutdown(at->fd, SHUT_RD);
        }
}

static void *run(void *owner)
{
        struct watch *w = owner;

        pthread_mutex_lock(&w->mutex);
        while (!w->stopping) {
                struct timespec until = {0};
                clock_gettime(CLOCK_MONOTONIC, &until);
                until.tv_nsec += TICK_MS * 1000000L;
                if (until.tv_nsec >= 1000000000L) {
                        until.tv_sec++;
                        until.tv_nsec -= 1000000000L;
                }
                pthread_cond_timedwait(&w->stop_cond, &w->mutex, &until);
                expire_locked(w);
        }
        pthread_mutex_unlock(&w->mutex);
        return NULL;
}

struct watch *watch_create(struct err *e)
{
        AUTO(watch) w = xcalloc(1, sizeof(*w));
        pthread_condattr_t attributes;

        pthread_mutex_init(&w->mutex, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&w->stop_cond, &attributes);
        pthread_condattr_destroy(&attributes);
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

void watch_begin(struct watch *w, struct watched *entry, struct mg_connection *c, msec limit)
{
        *entry = (struct watched){.fd = connection_descriptor(c), .deadline = clock_mono() + limit};
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
