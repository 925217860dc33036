/* SPDX-License-Identifier: Apache-2.0
 *
 * next_step.h: what an attempt that has not started does next. Pure.
 */
#ifndef WARREN_CONSUMER_NEXT_STEP_H
#define WARREN_CONSUMER_NEXT_STEP_H

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/model/job.h"
#include "consumer/elsewhere.h"
#include "consumer/hops.h"
#include "consumer/runner/handlers.h"

enum next_step {
        NEXT_TRAVEL,         /* its time is far: to a delay exchange */
        NEXT_MOVE_TO_LONG,   /* a long job in a short lane: moved */
        NEXT_HOP,            /* it cannot run here now: away for a while */
        NEXT_ASK_WHO,        /* no handler here: who has one must be looked up first */
        NEXT_ASK_DUPLICATE,  /* it may have run before: asked about */
        NEXT_BURY_UNHANDLED, /* nobody has had a handler for too long */
        NEXT_HOLD,           /* its time is near: held */
        NEXT_WAIT,           /* for a worker */
};

struct next_view {
        const struct job *job;
        const struct handler *handler; /* NULL: none here */
        bool paused;                   /* its type */
        bool suspect;                  /* it may have run before */
        bool looked_up;                /* who handles it, when nobody here does: */
        enum handled by;
        bool fresh;         /* the answer is; nothing is buried by an old one */
        msec unhandled_max; /* so long it may wait for a handler */
};

struct next {
        enum next_step step;
        enum hop_why why;  /* HOP */
        msec wait;         /* HOP: wanted; hops_wait brings it into bounds */
        msec unhandled_at; /* since when nobody has a handler for it; 0: not so */
};

struct next next_step(const struct next_view *v, msec now);

#endif
