/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.h: what running attempts report of their progress, told at most once in PROGRESS_PERIOD
 * for each: the first report at once, the latest of those after it when the period is over, and
 * before the attempt ends. Loop thread only.
 */
#ifndef WARREN_CONSUMER_PROGRESS_H
#define WARREN_CONSUMER_PROGRESS_H

#include <uv.h>

#include "common/base/bytes.h"

struct attempt;
struct progress;

enum { PROGRESS_PERIOD = 1000 /* ms */ };

struct progress_config {
        uv_loop_t *loop;
        /* Takes progress_note calls for what it has reported and nobody heard yet. */
        void (*look)(void *owner, struct attempt *a);
        /* False: nothing can be told now. What is the latest by then is told a period later. */
        bool (*may_tell)(void *owner);
        void (*tell)(void *owner, struct attempt *a, double done, struct bytes text);
        void *owner;
};

/* What is kept with an attempt; zeroed to begin with, but for `attempt`. */
struct progress_note {
        struct attempt *attempt;
        bool listed; /* something was told in this period, or waits for the next */
        bool untold;
        double done;
        struct buffer text;
        int64_t next_at; /* monotonic ms; of what is listed */
        struct progress_note *prev, *next;
};

struct progress *progress_create(const struct progress_config *c);
void progress_destroy(struct progress **p);

/* text is copied; absent: none. */
void progress_note(struct progress *p, struct progress_note *n, double done, struct bytes text);
/* Tells what is untold, whatever may_tell says, and forgets the attempt. Before its end is told. */
void progress_end(struct progress *p, struct progress_note *n);

#endif
