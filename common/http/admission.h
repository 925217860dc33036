/* SPDX-License-Identifier: Apache-2.0
 *
 * admission.h: which connections of a server are served. A server has some threads more than it
 * serves connections: they wait for a seat, and tell who finds none.
 */
#ifndef WARREN_HTTP_ADMISSION_H
#define WARREN_HTTP_ADMISSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/clock.h"
#include "common/http/watch.h"

struct admission {
        unsigned seats;
        atomic_uint open;    /* connections that have a thread */
        atomic_uint waiting; /* of them, for a seat */
        /* guarded by mutex */
        pthread_mutex_t mutex;
        pthread_cond_t left;
        unsigned taken;
        msec changed; /* when a seat was taken or left last */
        msec refused; /* when somebody was refused last */
};

void admission_init(struct admission *a, unsigned seats);
void admission_fini(struct admission *a);

/* Waits for a seat while others are left. False: all are taken, and none was
 * left for a second, or others were faster for five.
 * `first` tells that nobody was refused shortly before. */
bool admission_enter(struct admission *a, struct watch *w, bool *first) MUST_CHECK;
void admission_leave(struct admission *a);
/* How many connections are to end early: for a watch. Any thread. */
unsigned admission_excess(void *admission);

#endif
