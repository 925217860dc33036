/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt_row.h: one attempt (run, attempt) of a job, folded the same way as the job's row.
 */
#ifndef WARREN_MODEL_ATTEMPT_ROW_H
#define WARREN_MODEL_ATTEMPT_ROW_H

#include "common/model/fold.h"

enum attempt_outcome {
        ATTEMPT_OPEN,
        ATTEMPT_COMPLETED,
        ATTEMPT_FAILED,
        ATTEMPT_DEAD,
        ATTEMPT_CANCELLED,
        ATTEMPT_RELEASED, /* given back by its worker */
        ATTEMPT_LOST,     /* its worker was lost */
};
const char *attempt_outcome_name(enum attempt_outcome o); /* open: "running" */

struct attempt_row {
        int64_t run, attempt;
        struct fold_key start;
        msec started_at;
        char worker[WORKER_NAME_SIZE];
        bool redelivered;
        struct fold_key end;
        msec ended_at;
        enum attempt_outcome outcome; /* of the greatest end: see attempt_row_outcome */
        enum reason reason;
        enum error_kind error_kind;
        struct buffer error;
};

/* An outcome is known, which being given back is not: the attempt comes again. */
bool attempt_row_has_ended(const struct attempt_row *row);
/* OPEN again once it has been started after it was given back. */
enum attempt_outcome attempt_row_outcome(const struct attempt_row *row);

void attempt_row_fini(struct attempt_row *row);
/* Which attempt the event speaks of; false when of none (a submission, a due, a worker, a burial
 * before any attempt, or for want of a handler, a queue or a readable job). Attempts of runs up to
 * the row's forgotten_run are the caller's to drop. */
bool event_attempt(const struct event *e, int64_t *run, int64_t *attempt);
bool attempt_row_fold(struct attempt_row *row, const struct event *e, const struct arrival *a);

#endif
