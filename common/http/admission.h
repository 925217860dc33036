/* SPDX-License-Identifier: Apache-2.0
 *
 * admission.h: limits the connections that a server serves to its seats. The server has a few
 * threads more than seats: their connections wait for a seat, or are refused.
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
        atomic_uint waiting; /* of these, without a seat */
        /* guarded by mutex */
        pthread_mutex_t mutex;
        pthread_cond_t seat_left;
        unsigned taken;
        msec changed_at; /* a seat was last taken or left */
        msec refused_at; /* a connection was last refused */
};

void admission_init(struct admission *a, unsigned seats);
void admission_fini(struct admission *a);

/* Waits for a seat, up to 5 s, but only 1 s without any seat taken or left. False: there is none;
 * then *first says whether nothing was refused in the 10 s before. */
bool admission_enter(struct admission *a, struct watch *w, bool *first) MUST_CHECK;
void admission_leave(struct admission *a);
/* How many connections should end early: for watch_create. Any thread. */
unsigned admission_excess(void *admission);

#endif
