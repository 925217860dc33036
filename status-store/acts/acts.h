/* SPDX-License-Identifier: Apache-2.0
 *
 * acts.h: acts on jobs, each to its end: the row is judged (act_rules.h), the intent committed,
 * then event, copy and mark are published (act_steps.h). What was interrupted is done again by
 * acts_resume. Two acts on one job are done in turn.
 *
 * The primary's; any thread. Calls block.
 */
#pragma once

#include "common/db/readers.h"
#include "common/db/writer.h"
#include "status-store/acts/act_rules.h"
#include "status-store/acts/operator.h"
#include "status-store/acts/seen.h"
#include "status-store/projection/markers.h"
#include "status-store/provisioning/provisioning.h"
#include "status-store/registry/registry.h"

struct acts;

struct acts_config {
        struct registry *registry; /* all borrowed */
        struct readers *readers;
        struct markers *markers;
        struct provisioning *provisioning;
        struct operator* operator; /* NULL: its password is not set: every act is refused */
        struct seen *seen;
        msec marks_keep;
        int64_t moved_max;
        unsigned at_once; /* single acts, half of them of one tenant; for more: ERR_FULL */
};

struct acts *acts_create(const struct acts_config *c, struct err *e) MUST_CHECK;
/* Acts under way end soon, as failed; call it before the operator is stopped. */
void acts_close(struct acts *a);
/* No other call may be running. */
void acts_destroy(struct acts **a);

/* Workers that have not told that they read a mark. They may start what it covers until they do. */
struct acts_behind {
        bool unknown; /* the projection does not know who lives, or what they have told */
        char workers[SEEN_BEHIND_MAX][WORKER_NAME_SIZE];
        size_t count; /* of `workers` */
};

struct act_answer {
        enum act_refusal refusal;
        char tenant[TENANT_SIZE];
        enum status status;
        bool cancelling; /* it runs, and is told to stop */
        int64_t run, attempt, copy;
        msec run_at;
        int priority;
        struct acts_behind behind;
        /* Of a failure: */
        bool is_behind;   /* the projection did not become current in time; nothing was done */
        bool may_be_done; /* it was begun, and will be ended later */
};

/* 1: what the broker confirmed before is in the tables; 0: not by the clock_mono() deadline; -1:
 * it cannot be known, or no act can be done now. */
int acts_become_current(struct acts *a, msec deadline, struct err *e) MUST_CHECK;

/* act->tenant "*": the only one with such a job. Takes until the clock_mono() deadline at most;
 * less than ACT_WAIT is too short for a slow broker. 0: done, or refused: see out->refusal. */
#define ACT_WAIT ((msec)9 * MSEC_SECOND)
int acts_do(struct acts *a, const struct act *act, msec deadline, struct act_answer *out,
            struct err *e) MUST_CHECK;

enum { ACTS_PAGE_MAX = 200 };

struct acts_page {
        const struct act *acts; /* all of one kind: CANCEL or RUN_NOW; a job at most once */
        size_t count;
        /* A job that it refuses is skipped; owner: as below. NULL: all are wanted. */
        bool (*wanted)(const void *owner, const struct job_row *row);
        /* The write that commits the intents also runs this: the operation's cursor and counts. */
        write_fn *progress;
        void *owner;
        /* Filled before `progress` runs. */
        size_t done, skipped, failed;
        const char *why; /* of one that failed */
        /* Filled. */
        bool begun;   /* `progress` was committed */
        int64_t mark; /* of the last mark message; 0: none */
};
/* Acts on a page of an operation. -1: what was begun is ended by acts_resume. */
int acts_apply_page(struct acts *a, struct acts_page *page, struct err *e) MUST_CHECK;
/* Lines of one message of marks: bulk marks; a blank one: only the number counts. */
int acts_publish_marks(struct acts *a, struct bytes lines, int64_t *mark, struct err *e) MUST_CHECK;
#define SEEN_WAIT ((msec)3 * MSEC_SECOND)
/* Waits until each consumer that lives has told that it read the mark, or the clock_mono()
 * deadline. */
void acts_await_seen(struct acts *a, int64_t mark, msec deadline, struct acts_behind *behind);

/* Does what was begun and not ended. */
int acts_resume(struct acts *a, struct err *e) MUST_CHECK;
/* Deletes some old rows of what is kept of acts. 1: there may be more; 0; -1. */
int acts_forget_old(struct acts *a, struct err *e) MUST_CHECK;
/* Looks which tenant has half of the list of last acts; reads the whole list. */
int acts_note_crowding(struct acts *a, struct err *e) MUST_CHECK;
/* Acts that were begun and have not ended; rows of the list of last acts. -1: unknown. */
int acts_count(struct acts *a, int64_t *unfinished, int64_t *moved, struct err *e) MUST_CHECK;
