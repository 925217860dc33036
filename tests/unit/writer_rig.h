/* SPDX-License-Identifier: Apache-2.0
 *
 * writer_rig.h: a write that pauses until the test releases it, and a deadline for all waits.
 */
#pragma once

#include "tests/unit/unit.h"

#include <pthread.h>
#include <time.h>

#include "common/db/writer.h"

enum { RIG_WAIT_S = 60 };

struct gate {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool reached, open;
};
#define GATE \
        { \
                .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
        }

static inline bool gate_wait(struct gate *g, const bool *until)
{
        struct timespec deadline;
        int waited = 0;
        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += RIG_WAIT_S;
        pthread_mutex_lock(&g->mutex);
        while (!*until && waited == 0)
                waited = pthread_cond_timedwait(&g->changed, &g->mutex, &deadline);
        bool came = *until;
        pthread_mutex_unlock(&g->mutex);
        return came;
}

static inline void gate_set(struct gate *g, bool *what)
{
        pthread_mutex_lock(&g->mutex);
        *what = true;
        pthread_cond_broadcast(&g->changed);
        pthread_mutex_unlock(&g->mutex);
}

/* Called on the writer's thread: reports that the write has begun, then waits for the test. */
static inline int gate_pass(struct gate *g, struct err *e)
{
        gate_set(g, &g->reached);
        return gate_wait(g, &g->open) ? 0 : err_set(e, ERR_TIMEOUT, "not let go");
}
