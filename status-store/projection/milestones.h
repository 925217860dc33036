/* SPDX-License-Identifier: Apache-2.0
 *
 * milestones.h: what a job adds to the statistics. A start or an end may be read before the
 * submission. So what is counted once for a job is counted when all that it needs is known, and the
 * counts are the same in any order. Pure, but for the tally.
 */
#pragma once

#include "common/model/fold.h"
#include "status-store/projection/tally.h"

/* Each is counted when it becomes true. It stays true until the job is forgotten. */
struct milestones {
        bool submitted;
        bool waited; /* its wait from when it was due to its first start is known */
        bool completed;
        bool passed; /* its time from when it was due to its completion is known */
        bool dead;
};

struct milestones milestones_of(const struct job_row *row);

/* An event, and the row that it was folded into. */
struct job_change {
        int64_t tenant, type; /* in `names`; type 0: not known yet */
        const struct job_row *row;
        const struct event *event;
        struct milestones was; /* before the event */
        bool attempt_ended;    /* by the event */
        msec clock;            /* the stream's; 0: none yet */
        msec now;
};

/* Adds what the event changes. */
void milestones_count(struct tally *t, const struct job_change *c);
