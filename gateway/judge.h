/* SPDX-License-Identifier: Apache-2.0
 *
 * judge.h: whether a submission is accepted, up to its publish. Any thread. Nothing is answered or
 * counted: false means refused, and *why, which was {0}, says why.
 */
#pragma once

#include "gateway/core.h"
#include "gateway/refusal.h"

struct judge_input {
        struct bytes body;
        const char *own; /* the tenant of the API key; "": any */
        const char *key; /* the idempotency key of the header; NULL: not given */
};

/* Fills the job except id, traceparent and app_id, and its tenant's record. The payload borrows
 * from the body. A refusal that may_replay stands only if the key is new: it is for times that are
 * over, and the same submission may have been accepted before. */
bool judge_read(struct gateway *g, const struct judge_input *in, struct job *job,
                struct tenant_record *t, struct refusal *why) MUST_CHECK;
/* Whether jobs can be published now. */
bool judge_links(struct gateway *g, struct refusal *why) MUST_CHECK;

/* Whose limits are judged, and how. */
struct judge_limits {
        const struct tenant_record *tenant;
        bool trial; /* nothing is taken: what would be said after `before` more jobs of the tenant
                     */
        unsigned before;
};

/* Takes a token of the tenant's rate. *a is {0} when the rate was not looked at. */
bool judge_rate(struct gateway *g, const struct judge_limits *l, struct allowance *a,
                struct refusal *why) MUST_CHECK;
/* After judge_rate, whose token it gives back when it refuses. Counts the job as pending. May wait
 * half a second for a count. */
bool judge_backlog(struct gateway *g, const struct judge_limits *l, struct refusal *why) MUST_CHECK;
/* Gives back what judge_rate and judge_backlog took: the job was not published. */
void judge_undo(struct gateway *g, const char *tenant);
