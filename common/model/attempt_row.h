/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt_row.h: one attempt of a job, identified by (run, attempt), folded as a job's row is
 * (fold.h).
 */
#pragma once

#include "common/model/fold.h"

enum attempt_outcome {
        ATTEMPT_OPEN,
        ATTEMPT_COMPLETED,
        ATTEMPT_FAILED,
        ATTEMPT_DEAD,
        ATTEMPT_CANCELLED,
        ATTEMPT_RELEASED, /* released by its worker: it starts again */
        ATTEMPT_LOST,     /* its worker died: it starts again */
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
        enum attempt_outcome outcome; /* of the greatest end; show attempt_row_outcome */
        enum reason reason;
        enum error_kind error_kind;
        struct buffer error;
};

/* The outcome is final. RELEASED and LOST are not: the attempt starts again. */
bool attempt_row_has_ended(const struct attempt_row *row);
/* RELEASED and LOST become OPEN when a later start is known. */
enum attempt_outcome attempt_row_outcome(const struct attempt_row *row);

void attempt_row_fini(struct attempt_row *row);
/* The attempt that the event is about; false: none (a submission, due, worker; a burial before any
 * attempt, or because of a missing handler, a missing queue or a malformed job; a cancelling of
 * what did not run). The caller must drop attempts of runs up to the job row's forgotten_run. */
bool event_attempt(const struct event *e, int64_t *run, int64_t *attempt);
bool attempt_row_fold(struct attempt_row *row, const struct event *e, const struct arrival *a);
