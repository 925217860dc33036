/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.c: deadlines for reads inside civetweb.
 */
#include "common/http/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"

enum { TICK_MS = 100, FD_MAX = 65536 };

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

static bool is_socket_of(int fd, const struct mg_request_info *info, struct in_addr peer)
{
        struct sockaddr_in far = {0};
        struct sockaddr_in near = {0};
        socklen_t far_size = sizeof(far);
        socklen_t near_size = sizeof(near);

        return getpeername(fd, (struct sockaddr *)&far, &far_size) == 0 &&
               far.sin_family == AF_INET && ntohs(far.sin_port) == info->remote_port &&
               far.sin_addr.s_addr == peer.s_addr &&
               getsockname(fd, (struct sockaddr *)&near, &near_size) == 0 &&
               ntohs(near.sin_port) == info->server_port;
}

/* civetweb does not tell a connection's descriptor, but its two ends name it. Looked for once in a
 * connection's life, and kept with it (plus one: NULL means not yet). -1: not found. */
static int descriptor_of(struct mg_connection *c)
{
        const struct mg_request_info *info = mg_get_request_info(c);
        intptr_t known = (intptr_t)mg_get_user_connection_data(c);
        struct in_addr peer = {0};

        if (known > 0)
                return (int)(known - 1);
        if (inet_pton(AF_INET, info->remote_addr, &peer) != 1)
                return -1;
        for (int fd = 0; fd < FD_MAX; fd++) {
                if (!is_socket_of(fd, info, peer))
                        continue;
                /* NOLINTNEXTLINE(performance-no-int-to-ptr): a number is all there is to keep */
                mg_set_user_connection_data(c, (void *)(intptr_t)(fd + 1));
                return fd;
        }
        return -1;
}

void watch_begin(struct watch *w, struct watched *entry, struct mg_connection *c, msec limit)
{
        *entry = (struct watched){.fd = descriptor_of(c), .deadline = clock_mono() + limit};
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
