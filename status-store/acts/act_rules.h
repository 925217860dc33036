/* SPDX-License-Identifier: Apache-2.0
 *
 * act_rules.h: what an act on a job does, by the job's row. Pure.
 */
#pragma once

#include "common/model/fold.h"

enum act_kind {
        ACT_CANCEL,
        ACT_RUN_NOW,
        ACT_MOVE,
        ACT_PRIORITY,
        ACT_RETRY,
        ACT_FORGET,
        ACT_STOP, /* a cancel of a job that runs: act_judge makes it of ACT_CANCEL */
};
enum { ACT_KINDS = ACT_STOP + 1 }; /* registry.db holds the numbers: add at the end */
/* No attempt of the run starts after it. */
bool act_ends_the_run(enum act_kind kind);
/* It publishes the job again: a copy, or another run. */
bool act_publishes(enum act_kind kind);

/* What somebody wants of one job. */
struct act {
        enum act_kind kind;
        char tenant[TENANT_SIZE], id[UUID_SIZE];
        msec run_at;   /* MOVE */
        int priority;  /* enum priority; -1: as it is */
        bool marked;   /* CANCEL: a bulk mark has ended it, or will */
        bool archived; /* FORGET: the dead letter is in the archive, and will be deleted there */
        char by[ACT_BY_SIZE];
};

enum act_refusal {
        ACT_ALLOWED,
        ACT_NO_SUCH_JOB,
        ACT_SEVERAL_TENANTS, /* have a job of the id */
        ACT_JOB_OPEN,
        ACT_JOB_RUNNING,
        ACT_JOB_ENDED,
        ACT_NOT_DELAYED,
        ACT_DUE_SOON, /* a consumer holds it until its time */
        ACT_PAYLOAD_UNKNOWN,
        ACT_LETTER_NOT_ARCHIVED,
        ACT_NO_TENANT,   /* its tenant was deleted: nothing can be published for it */
        ACT_TOO_FAR,     /* run_at is too far in the future */
        ACT_AFTER_EXPIRY /* the job would expire before it is due */
};
struct act_refused {
        int status;       /* of HTTP */
        const char *type; /* of the problem; NULL: the status says all */
        const char *detail;
};
/* Not for ACT_ALLOWED. */
const struct act_refused *act_refused(enum act_refusal why);

struct act_plan {
        enum act_refusal refusal;
        bool done;          /* there is nothing to do: it is so already */
        enum act_kind kind; /* what is to be done: see ACT_STOP */
        int64_t run;        /* of the job; RETRY: the last one, the new one is to be granted */
        int64_t attempt;    /* the number that is to start, or that runs */
        msec run_at;        /* of the copy; 0: at once */
        int priority;       /* of the copy */
        int64_t moved;      /* of the copy: MOVED_BY_ACT or MOVED_GIVEN_BACK */
        msec due;           /* the latest time at which a message of it may come due; 0: none */
};

/* A dead job's letter is archived by then: a retry is made from it, and a forget deletes it. */
#define ACT_LETTER_WAIT ((msec)60 * MSEC_SECOND)

/* row: NULL: there is none. has_payload: it is known, so the job can be published again. */
void act_judge(const struct job_row *row, const struct act *act, bool has_payload, msec now,
               struct act_plan *plan);
/* The greatest number that a copy of the job is known to have. */
int64_t act_highest_copy(const struct job_row *row);
/* The copy, or new run, that the plan publishes, with number `copy`. Borrows from row and payload.
 */
void act_copy(const struct job_row *row, const struct act_plan *plan, int64_t copy,
              struct bytes payload, struct job *out);
