/* SPDX-License-Identifier: Apache-2.0
 *
 * intake_step.h: what an attempt that has not started does next. Pure.
 */
#ifndef WARREN_CONSUMER_INTAKE_STEP_H
#define WARREN_CONSUMER_INTAKE_STEP_H

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/model/job.h"
#include "consumer/runner/handlers.h"

enum intake_step {
        INTAKE_TRAVEL,     /* its time is far: to a delay exchange */
        INTAKE_NO_HANDLER, /* nobody here runs its type: passed on */
        INTAKE_LANE,       /* a long job in a short lane: moved */
        INTAKE_PAUSED,     /* its type is paused: hops */
        INTAKE_ASK,        /* it may have run before: asked about */
        INTAKE_HOLD,       /* its time is near: held */
        INTAKE_RUN,        /* waits for a worker */
};

struct intake_view {
        const struct job *job;
        const struct handler *handler; /* NULL: none */
        bool paused;                   /* its type */
        bool suspect;                  /* it may have run before */
};

enum intake_step intake_step(const struct intake_view *v, msec now);

#endif
