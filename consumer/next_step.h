/* SPDX-License-Identifier: Apache-2.0
 *
 * next_step.h: decides what happens next to an attempt that has not started. Pure.
 */
#pragma once

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/model/job.h"
#include "common/model/mark.h"
#include "consumer/elsewhere.h"
#include "consumer/hops.h"
#include "consumer/runner/handlers.h"

enum next_step {
        NEXT_CANCEL,         /* a mark says that the job was cancelled: it ends unrun */
        NEXT_DROP,           /* a mark says that another message took its place */
        NEXT_EXPIRE,         /* it has expired: it ends unrun */
        NEXT_DELAY,          /* due later: to a delay queue */
        NEXT_MOVE_TO_LONG,   /* a long job in another lane: to the lane `long` */
        NEXT_PARK,           /* its type is paused: to the queue of that pause */
        NEXT_HOP,            /* it cannot run here now: to a delay queue for a while */
        NEXT_ASK_WHO,        /* no handler here: look up whether another consumer has one */
        NEXT_ASK_DUPLICATE,  /* it may have run before: ask a status-store */
        NEXT_BURY_UNHANDLED, /* no consumer has had a handler for too long */
        NEXT_HOLD,           /* due in at most next_view.hold: hold it here */
        NEXT_WAIT,           /* ready: wait for a worker */
};

struct next_view {
        const struct job *job;
        const struct handler *handler; /* NULL: none here */
        bool paused;                   /* its type is */
        enum mark_verdict mark;
        bool suspect; /* it may have run before */
        /* So old that its mark may be forgotten; and not yet asked about. Whatever is published of
         * it is young again, so it must be asked about before. */
        bool stale;
        bool looked_up; /* the next two are set */
        enum handled by;
        bool fresh;         /* `by` is; a job is not buried on an old answer */
        msec hold;          /* how long it may be held here until it is due */
        msec unhandled_max; /* how long it may wait for a handler */
};

struct next {
        enum next_step step;
        enum hop_why why;  /* HOP */
        msec wait;         /* HOP: `wanted` of hops_wait */
        msec unhandled_at; /* since when no consumer has a handler for it; 0: not so */
};

struct next next_step(const struct next_view *v, msec now);
