/* SPDX-License-Identifier: Apache-2.0
 *
 * waiters.h: threads of the server that wait for a job to change: at most `max` at once, half of
 * them for one tenant.
 */
#pragma once

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/model/job.h"

struct waiters;

/* On the stack of the waiting thread; in use from join to leave. */
struct waiter {
        char tenant[TENANT_SIZE]; /* "*": any */
        char id[UUID_SIZE];
        bool changed;
        struct waiter *next;
};

struct waiters *waiters_create(unsigned max);
void waiters_destroy(struct waiters **w);
/* False when too many threads wait already, or after waiters_close. */
bool waiters_join(struct waiters *w, const char *tenant, const char *id, struct waiter *me);
/* Waits for a change (true; one since join or the last call counts) or the clock_mono() deadline.
 */
bool waiters_wait(struct waiters *w, struct waiter *me, msec deadline);
void waiters_leave(struct waiters *w, struct waiter *me);
/* How much longer the job of this id may be confirmed and not yet folded; 0: no longer. */
msec waiters_young_left(const char *id);
/* Called by the writer. Cheap when no thread waits. */
void waiters_changed(struct waiters *w, const char *tenant, const char *id);
/* Ends all waits; later ones end at once. */
void waiters_close(struct waiters *w);
