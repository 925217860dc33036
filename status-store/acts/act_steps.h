/* SPDX-License-Identifier: Apache-2.0
 *
 * act_steps.h: carries out acts whose intents are committed: copies are published, then lines of
 * events, then marks, then the registry notes the end. The order matters: a row that says cancelled
 * while the job runs is corrected by its end, but a row that waits for a message which a mark has
 * ended waits for ever.
 *
 * Any thread; blocks.
 */
#pragma once

#include <stdatomic.h>

#include "common/db/readers.h"
#include "status-store/acts/moved_room.h"
#include "status-store/acts/operator.h"
#include "status-store/projection/schema.h"

/* All borrowed. */
struct act_tools {
        struct registry *registry;
        struct readers *readers;
        struct operator* operator;
        struct moved_room *moved;
        atomic_bool closing; /* steps that failed are not tried again */
};

/* The row is needed when the act publishes the job again. */
struct act_job {
        struct intent intent;
        struct stored_job job;
};

struct act_batch {
        struct act_job *all;
        size_t count;
        bool again; /* some of it may have been done before */
        msec deadline;
        int64_t mark; /* filled: number of the last mark message; 0: none */
};

/* Tries again what fails. Nothing begins after the deadline of clock_mono; what was begun then
 * takes some seconds at most. -1: nobody knows how much was done. */
int act_steps_run(struct act_tools *t, struct act_batch *b, struct err *e) MUST_CHECK;
/* 1: the payload of the row is stored; 0; -1. out: gets it; NULL: not wanted. */
int act_payload(struct reader *r, const struct job_row *row, struct buffer *out,
                struct err *e) MUST_CHECK;
