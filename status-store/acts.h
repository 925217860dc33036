/* SPDX-License-Identifier: Apache-2.0
 *
 * acts.h: acts on jobs, each to its end: the row is judged (act_rules.h), the intent committed,
 * then event, copy and mark are published. What was interrupted is done again at the next start.
 *
 * The primary's; any thread. Calls block.
 */
#pragma once

#include "common/db/readers.h"
#include "common/db/writer.h"
#include "common/model/job.h"
#include "status-store/markers.h"
#include "status-store/operator.h"
#include "status-store/provisioning.h"
#include "status-store/registry.h"
#include "status-store/seen.h"

enum act_kind { ACT_CANCEL, ACT_RUN_NOW, ACT_MOVE, ACT_PRIORITY, ACT_RETRY, ACT_FORGET };

/* What somebody wants of one job. */
struct act {
        enum act_kind kind;
        char tenant[TENANT_SIZE], id[UUID_SIZE];
        msec run_at;  /* MOVE */
        int priority; /* enum priority; -1: as it is */
        char by[65];  /* "key k1x2y3z4", "operation <id>" */
};

struct acts;

struct acts_config {
        struct registry *registry; /* all borrowed */
        struct readers *readers;
        struct markers *markers;
        struct provisioning *provisioning;
        struct operator* operator;
        struct seen *seen;
        msec marks_keep;
        int64_t moved_max;
};

struct acts *acts_create(const struct acts_config *c);
/* No other call may be running. */
void acts_destroy(struct acts **a);

/* Marks the job as under way; who comes second waits 5 s at most: ERR_UNAVAILABLE. */
int acts_enter(struct acts *a, const char *tenant, const char *id, struct err *e) MUST_CHECK;
void acts_leave(struct acts *a, const char *tenant, const char *id);

enum { ACTS_PAGE_MAX = 200 };

struct acts_page {
        const struct act *acts; /* all of one kind: CANCEL or RUN_NOW */
        size_t count;
        bool marked; /* a bulk mark covers them: they get none of their own */
        /* The write that commits the intents also runs this: the operation's cursor and counts. */
        write_fn *progress;
        void *owner;
        /* Filled. */
        size_t done, skipped, failed;
        int64_t mark; /* of the last mark message; 0: none */
};
/* Acts on a page of an operation. -1: it is done again by acts_resume. */
int acts_apply_page(struct acts *a, struct acts_page *page, struct err *e) MUST_CHECK;
/* Does what an earlier process began and did not end. */
int acts_resume(struct acts *a, struct err *e) MUST_CHECK;
