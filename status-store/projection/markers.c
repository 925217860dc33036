/* SPDX-License-Identifier: Apache-2.0
 *
 * markers.c: a ring of the last markers folded.
 */
#include "status-store/projection/markers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/condition.h"
#include "common/base/memory.h"
#include "common/base/uuid.h"

struct markers {
        pthread_mutex_t mutex;
        pthread_cond_t news;
        /* guarded by mutex */
        char ids[MARKERS_KEPT][UUID_SIZE];
        size_t next;
        unsigned waiting;
        bool closed;
};

struct markers *markers_create(void)
{
        struct markers *m = xcalloc(1, sizeof(*m));
        pthread_mutex_init(&m->mutex, NULL);
        condition_init(&m->news);
        return m;
}

void markers_destroy(struct markers **m)
{
        if (*m == NULL)
                return;
        pthread_cond_destroy(&(*m)->news);
        pthread_mutex_destroy(&(*m)->mutex);
        free(*m);
        *m = NULL;
}

void markers_passed(struct markers *m, const char *id)
{
        pthread_mutex_lock(&m->mutex);
        memcpy(m->ids[m->next], id, UUID_SIZE);
        m->next = (m->next + 1) % MARKERS_KEPT;
        if (m->waiting > 0)
                pthread_cond_broadcast(&m->news);
        pthread_mutex_unlock(&m->mutex);
}

static bool has_passed_locked(const struct markers *m, const char *id)
{
        for (size_t i = 0; i < MARKERS_KEPT; i++) {
                if (strcmp(m->ids[i], id) == 0)
                        return true;
        }
        return false;
}

bool markers_await(struct markers *m, const char *id, msec deadline)
{
        bool late = false;
        pthread_mutex_lock(&m->mutex);
        bool passed = has_passed_locked(m, id);
        bool may_wait = m->waiting < MARKERS_WAITING_MAX;
        m->waiting += may_wait;
        while (may_wait && !passed && !m->closed && !late) {
                late = !condition_wait(&m->news, &m->mutex, deadline);
                passed = has_passed_locked(m, id);
        }
        m->waiting -= may_wait;
        pthread_mutex_unlock(&m->mutex);
        return passed;
}

void markers_close(struct markers *m)
{
        pthread_mutex_lock(&m->mutex);
        m->closed = true;
        pthread_cond_broadcast(&m->news);
        pthread_mutex_unlock(&m->mutex);
}
