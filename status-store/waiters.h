/* SPDX-License-Identifier: Apache-2.0
 *
 * waiters.h: threads that wait for a job to change. Bounded: each waits on a thread of the server.
 */
#ifndef WARREN_STATUS_STORE_WAITERS_H
#define WARREN_STATUS_STORE_WAITERS_H

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/model/job.h"

struct waiters;

/* Lives on the stack of the thread that waits, from join to leave. */
struct waiter {
        char tenant[TENANT_SIZE]; /* "*": any */
        char id[UUID_SIZE];
        bool changed;
        struct waiter *next;
};

struct waiters *waiters_create(unsigned max);
void waiters_destroy(struct waiters **w);
/* False when there are too many already, or it was closed. */
bool waiters_join(struct waiters *w, const char *tenant, const char *id, struct waiter *me);
/* Until the job changes (true; again from then on) or clock_mono() reaches the deadline. */
bool waiters_wait(struct waiters *w, struct waiter *me, msec deadline);
void waiters_leave(struct waiters *w, struct waiter *me);
/* The writer's side. Cheap when nobody waits. */
void waiters_changed(struct waiters *w, const char *tenant, const char *id);
/* Ends every wait, now and later. */
void waiters_close(struct waiters *w);

#endif
