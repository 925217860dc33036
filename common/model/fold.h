/* SPDX-License-Identifier: Apache-2.0
 *
 * fold.h: computes a job's row from the *set* of its events: the same row for any order and any
 * repetition. Every field belongs to a register, which keeps the value of the greatest event that
 * sets it. Events are ordered as fold_key.h says. Keeping the greatest is commutative, associative
 * and idempotent.
 *
 * An attempt can be started, released and started again. So `started`, `progress`, `resumed` and
 * `released` share a phase and are ordered by their time. For a release that is not the time of its
 * publication, but 1 ms after its worker's last event about the attempt: the next worker's start is
 * greater even if that worker's clock is behind, and so is a later event of a worker that was
 * wrongly believed dead.
 *
 * A copy of an attempt that was started and released (x-moved 2) waits in the started phase, so
 * that the row shows it. Somebody may cancel a job that did not run several times, and a job
 * expires once but may be told by whoever finds its message: of such ends the first counts.
 *
 * Who acted last is kept with two registers: in one run a cancelling outranks a move, because after
 * it nothing of that run can be moved.
 *
 * `forgotten` erases: the row keeps the highest forgotten run, and no value from an event of that
 * run or an earlier one. The row must stay as a tombstone: without it a repeated event would bring
 * the values back.
 *
 * A submission in doubt may be in no queue. It is the least event of its attempt, and while it is
 * the row's greatest event, the row is not shown. Its values count as those of any job message.
 *
 * A start may be read before its job's submission, or without one. Register `hint` keeps what it
 * says of the job until a job message of its run, or of a later one, is known. Events are compared
 * by run first, so in any order it holds the greatest hint of all, or is empty when such a message
 * is known. A message of an earlier run must not empty it: once that run is forgotten, the message
 * leaves no trace, and read in the other order it would have been ignored.
 *
 * Three times are computed from all events, forgotten or not: when the job was created, its
 * earliest event, its last event. A publisher's time is limited by the stream's clock, and an event
 * without a service's time gets the clock's. So the row depends on the set of (event, arrival),
 * and an arrival depends only on the place in the stream.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/model/event.h"
#include "common/model/facts.h"
#include "common/model/fold_key.h"
#include "common/model/status.h"

struct fold_key fold_key_of(const struct event *e);
/* The status of a row whose greatest event this is. False: such a row is not shown; or the event is
 * a move, which sets no status. */
bool event_status(const struct event *e, enum status *out);

/* An event's place in the stream. */
struct arrival {
        int64_t offset;
        msec clock; /* the stream's clock: greatest service time up to there; 0: none yet */
};
/* When it happened: the service's time, at most the clock; without one the clock. 0: unknown. */
msec event_time(const struct event *e, const struct arrival *a);

/* A job's row. Each group below is one register: its key, then the values of the greatest event.
 * The row owns its texts. It starts as {0} and ends with job_row_fini. */
struct job_row {
        char id[UUID_SIZE];
        char tenant[TENANT_SIZE];

        int64_t forgotten_run; /* 0: none; events of runs up to this one are ignored */

        struct fold_key birth; /* of the first job message; at = its offset */
        msec born;             /* its submitted_at, else the time in the id; 0: unknown */
        msec earliest;         /* lowest event_time; 0: the stream had no clock yet */
        msec created_at;       /* the lower of both */
        msec told_at;          /* the stream's clock at the last event */

        struct fold_key winner; /* the greatest event: sets the status */
        enum status status;
        bool shown; /* false: no winner, or it is `rejected`, `forgotten` or in doubt */

        struct fold_key message; /* the greatest job message; run 0: none was seen */
        struct job_facts *facts; /* of that run; see job_row_facts */

        struct fold_key hint_key; /* the greatest start or expiry with a hint, else such an end */
        struct job_hint hint;

        struct fold_key ran; /* the greatest event that names the content that ran */
        uint64_t ran_content;

        struct fold_key start; /* the greatest `started` */
        msec started_at;
        char worker[WORKER_NAME_SIZE];

        struct fold_key finish; /* the greatest closing event. After a replay it is of an earlier
                                   run: show it only when finish.run == winner.run */
        msec finished_at;
        int64_t duration_ms; /* COMPLETED */
        enum reason reason;
        struct buffer result;

        struct fold_key failure; /* the greatest failed or dead message: its error */
        enum error_kind error_kind;
        struct buffer error;

        struct fold_key step; /* the greatest `progress` */
        double progress;
        struct buffer progress_message;

        /* The greatest `moved`: what is below its (run, attempt, copy) never starts again. */
        struct fold_key moved;

        /* The greatest `cancel_requested`, or `cancelled` by somebody. As `finish` it may be of an
           earlier run: see job_row_is_to_be_cancelled. */
        struct fold_key cancel;
        msec cancel_at;
        char act_by[ACT_BY_SIZE]; /* of `cancel`, unless `moved` is of a later run */
};

void job_row_fini(struct job_row *row);
/* True when the row changed. The event is of the row's job (any, if empty), see event_is_of_job. */
bool job_row_fold(struct job_row *row, const struct event *e, const struct arrival *a);
/* Sets the times of a row made before the stream had a clock. first: the clock's first value. */
void job_row_date(struct job_row *row, msec first);

/* The content that runs or ran, else the first one; all empty when no job message was seen. */
const struct job_facts *job_row_facts(const struct job_row *row);
/* What its starts and ends say, while no job message is known; NULL: nothing, or one is known. */
const struct job_hint *job_row_hint(const struct job_row *row);
/* When its run's next attempt is, or was, due; 0: at once, or unknown. A consumer makes a job
 * `pending` up to DELAY_HOLD_LONGEST before it is due. */
msec job_row_run_at(const struct job_row *row);
/* No attempt of its run starts at or after it; 0: never, or unknown. */
msec job_row_expires_at(const struct job_row *row);
/* Its type; "": unknown. */
const char *job_row_type(const struct job_row *row);
/* Its enum priority; -1: unknown. */
int job_row_priority(const struct job_row *row);
/* A job message, start or expiry told when it was submitted. True until forgotten. */
bool job_row_is_introduced(const struct job_row *row);
/* Nothing is known of it but submissions in doubt. */
bool job_row_is_doubtful(const struct job_row *row);
/* The last attempt was released, or its worker died, and it has not been started again. */
bool job_row_is_given_back(const struct job_row *row);
/* A move is known that ends the message of a job with these numbers. */
bool job_row_has_moved(const struct job_row *row, int64_t run, int64_t number, int64_t copy);
/* It was cancelled, or expired, while no attempt ran: its end is the end of no attempt. */
bool job_row_ended_unrun(const struct job_row *row);
/* Somebody wants it cancelled, in its last run. */
bool job_row_is_to_be_cancelled(const struct job_row *row);
/* A consumer ended it by a bulk mark, and the event that says who cancelled it is still missing. */
bool job_row_is_untold(const struct job_row *row);
