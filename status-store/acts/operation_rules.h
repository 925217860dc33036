/* SPDX-License-Identifier: Apache-2.0
 *
 * operation_rules.h: operations on the jobs of a filter: which filters they take, the filter as
 * text, and its bulk marks. Pure.
 */
#pragma once

#include "common/base/bytes.h"
#include "status-store/acts/act_rules.h"
#include "status-store/jobs/job_filter.h"

enum operation_kind { OPERATION_CANCEL, OPERATION_RUN_NOW };
enum { OPERATION_KINDS = OPERATION_RUN_NOW + 1 }; /* registry.db holds the numbers */
enum operation_state {
        OPERATION_PREVIEWED, /* nothing was done */
        OPERATION_RUNNING,
        OPERATION_DONE,
        OPERATION_ABORTED,
        OPERATION_FAILED,
};
enum { OPERATION_STATES = OPERATION_FAILED + 1 }; /* likewise */

const char *operation_kind_name(enum operation_kind kind);
const char *operation_state_name(enum operation_state state);
bool operation_state_parse(struct bytes word, enum operation_state *out);
enum act_kind operation_act(enum operation_kind kind);

/* What is wrong with a filter that somebody gave; NULL: nothing. */
const char *operation_refuses(enum operation_kind kind, const struct job_filter *f);
/* Names the statuses that the kind acts on, when none are given. */
void operation_complete(enum operation_kind kind, struct job_filter *f);
/* Bulk marks cover exactly what the filter (complete) matches. */
bool operation_may_be_marked(enum operation_kind kind, const struct job_filter *f);

/* All but the tenant, as a query: "status=pending%2Cfailed&type=echo&q=a%20b". Appends. */
void operation_filter_write(const struct job_filter *f, struct buffer *out);
/* Reads it again; out's tenant stays. text: gets the filter's text, which borrows from it. */
int operation_filter_read(const char *query, struct job_filter *out, struct buffer *text,
                          struct err *e) MUST_CHECK;
/* Members {"status": "pending,failed", …}, with braces. hides: instead of the text it shows that
 * there is one. */
void operation_filter_json(const struct job_filter *f, bool hides, struct buffer *out);

/* Appends the lines of marks that end what the filter matches and was created before
 * f->created_before; without it: ERR_CORRUPT, consumers would skip the marks. copy: of copies below
 * it. */
int operation_write_marks(const struct job_filter *f, int64_t copy, msec at, struct buffer *out,
                          struct err *e) MUST_CHECK;
