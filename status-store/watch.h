/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.h: threads that wait for a job to change. Bounded: each waits on a thread of the server.
 */
#ifndef WARREN_STATUS_STORE_WATCH_H
#define WARREN_STATUS_STORE_WATCH_H

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/model/job.h"

struct watch;

/* Lives on the stack of the thread that waits, from join to leave. */
struct watcher {
        char tenant[TENANT_SIZE]; /* "*": any */
        char id[UUID_SIZE];
        bool changed;
        struct watcher *next;
};

struct watch *watch_create(unsigned max);
void watch_destroy(struct watch **w);
/* False when there are too many already, or it was closed. */
bool watch_join(struct watch *w, const char *tenant, const char *id, struct watcher *me);
/* Until the job changes (true; again from then on) or clock_mono() reaches the deadline. */
bool watch_wait(struct watch *w, struct watcher *me, msec deadline);
void watch_leave(struct watch *w, struct watcher *me);
/* The writer's side. Cheap when nobody waits. */
void watch_changed(struct watch *w, const char *tenant, const char *id);
/* Ends every wait, now and later. */
void watch_close(struct watch *w);

#endif
