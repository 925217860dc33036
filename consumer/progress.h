/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.h: publishes the progress of running attempts, at most once in PROGRESS_PERIOD for each.
 * The first report is published at once, then the latest when the period is over, and the last one
 * before the attempt's end. Loop thread only.
 */
#pragma once

#include <uv.h>

#include "common/base/bytes.h"

struct attempt;
struct progress;

enum { PROGRESS_PERIOD = 1000 /* ms */ };

struct progress_config {
        uv_loop_t *loop;
        /* Calls progress_note with what the attempt has reported since, if it has. */
        void (*poll)(void *owner, struct attempt *a);
        /* False: nothing can be published now; the latest report is tried again a period later. */
        bool (*may_publish)(void *owner);
        void (*publish)(void *owner, struct attempt *a, double done, struct bytes text);
        void *owner;
};

/* Part of an attempt. All but `attempt` starts as zero. */
struct progress_note {
        struct attempt *attempt;
        bool listed; /* its period is not over */
        bool unpublished;
        double done;
        struct buffer text;
        int64_t next_at; /* monotonic ms; when listed: the end of its period */
        struct progress_note *prev, *next;
};

struct progress *progress_create(const struct progress_config *c);
void progress_destroy(struct progress **p);

/* A report. text is copied; absent: none. */
void progress_note(struct progress *p, struct progress_note *n, double done, struct bytes text);
/* Publishes the last report, even if may_publish is false. Call it before publishing the end. */
void progress_end(struct progress *p, struct progress_note *n);
