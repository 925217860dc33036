/* SPDX-License-Identifier: Apache-2.0
 *
 * fold.h: a job's row as a function of the *set* of its events: any order, any repetition, the
 * same row. Every field is a register that keeps the value of the greatest event that speaks of
 * it, and events are ordered by (run, closed, attempt, phase, copy, at, digest): greatest wins is
 * commutative, associative and idempotent.
 *
 * An attempt can be started, be given back and be started again. So `started`, `progress`,
 * `resumed` and `released` share a phase and go by their time; a release counts as told 1 ms after
 * the last event that its worker told of the attempt, not when it was told: the next worker's start
 * is above it even if that one's clock is behind, and so is what a worker tells that was wrongly
 * given up.
 *
 * `forgotten` erases: the row keeps the highest run forgotten, and nothing that an event of that
 * run or an earlier one said. So it must stay as a tombstone, or a repeated event would bring back
 * what was forgotten.
 *
 * Three times are kept of every event, forgotten or not: when the job was created, the earliest
 * that is told of it, when it was last told of. No claim of a publisher stands alone: it is bounded
 * by the stream's clock, and an event that no service timed happened when that clock says. So the
 * row is a function of the set of (event, arrival), and an arrival belongs to a place in the
 * stream.
 */
#ifndef WARREN_MODEL_FOLD_H
#define WARREN_MODEL_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/model/event.h"
#include "common/model/facts.h"
#include "common/model/fold_key.h"

enum status {
        STATUS_SCHEDULED,
        STATUS_PENDING,
        STATUS_RUNNING,
        STATUS_FAILED,
        STATUS_COMPLETED,
        STATUS_DEAD,
        STATUS_CANCELLED,
};
enum { STATUS_COUNT = 7 };

const char *status_name(enum status s);
bool status_parse(struct bytes name, enum status *out);
bool status_is_ended(enum status s); /* completed, dead, cancelled */

struct fold_key fold_key_of(const struct event *e);

/* Where an event stands in the stream. */
struct arrival {
        int64_t offset;
        msec clock; /* the greatest time that a service told up to there; 0: none did */
};
/* When it happened, as a service says (so never after the clock, which follows that), else by the
 * clock. 0: nobody says, and there is none yet. */
msec event_time(const struct event *e, const struct arrival *a);

/* A job's row. Each group below is one register: its key, then what the greatest event said. Texts
 * are owned by the row; a row starts as {0} and ends with job_row_fini. */
struct job_row {
        char id[UUID_SIZE];
        char tenant[TENANT_SIZE];

        int64_t forgotten_run; /* 0: none; events of runs up to this one count no more */

        struct fold_key birth; /* the first job message there was; at = its offset */
        msec born;             /* as that claims, or else the id; 0: neither tells */
        msec earliest;         /* time of all events; 0: the stream had no clock yet */
        msec created_at;       /* the lesser of both */
        msec told_at;          /* the stream's clock at the last event */

        struct fold_key winner; /* status */
        enum status status;
        bool shown; /* false while the winner is `rejected` or `forgotten`, or there is none */

        struct fold_key message; /* the greatest job message; run 0: none was seen */
        struct job_facts *facts; /* of its run: what to show in front, see job_row_facts */

        struct fold_key ran; /* the greatest event of a run's course that names its content */
        uint64_t ran_content;

        struct fold_key start; /* the greatest `started` */
        msec started_at;
        char worker[WORKER_NAME_SIZE];

        struct fold_key finish; /* the greatest closing event; of an earlier run after a replay:
                                   show it only when finish.run == winner.run */
        msec finished_at;
        int64_t duration_ms; /* of a completed one */
        enum reason reason;
        struct buffer result;

        struct fold_key failure; /* the greatest failed or dead message: its error */
        enum error_kind error_kind;
        struct buffer error;

        struct fold_key step; /* the greatest `progress` */
        double progress;
        struct buffer progress_message;
};

void job_row_fini(struct job_row *row);
/* True when the row changed. The event must be of the row's job (or the row empty), not a worker's.
 */
bool job_row_fold(struct job_row *row, const struct event *e, const struct arrival *a);
/* Dates a row that was made before the stream had a clock: `first` is the first there was. */
void job_row_date(struct job_row *row, msec first);

/* What runs, or ran, or else was told first; all empty when no message with the job was seen. */
const struct job_facts *job_row_facts(const struct job_row *row);
/* The attempt that began last was given back, and has not been started again. */
bool job_row_is_given_back(const struct job_row *row);

#endif
