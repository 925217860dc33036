/* SPDX-License-Identifier: Apache-2.0
 *
 * token_checks.h: finds limits whose tokens were lost, because somebody deleted or purged their
 * queue. One look proves nothing: the caller looks again until nothing is suspected.
 */
#pragma once

#include "common/doctor/findings.h"
#include "common/doctor/queue_list.h"
#include "common/doctor/token_loss.h"

struct token_checks;

/* What is known of a limit. */
struct token_finding {
        struct doctor_limit limit;
        enum token_loss loss; /* never TOKENS_COMPLETE */
        int64_t left;         /* tokens, for TOKENS_FEWER */
        bool certain;         /* false: suspected */
};

struct token_checks *token_checks_create(void);
void token_checks_destroy(struct token_checks **t);
/* One look at the limits of facts; others are forgotten. */
void token_checks_look(struct token_checks *t, const struct doctor_look *look);
/* A loss was seen, not for long enough yet. */
bool token_checks_suspect(const struct token_checks *t);
/* Calls each for every limit that is not complete, as the last look saw it. */
void token_checks_each(const struct token_checks *t,
                       void (*each)(void *owner, const struct token_finding *found), void *owner);
/* "tenant acme, max running: tokens are lost: 0 of 5 are left" */
void token_checks_add_problem(const struct token_finding *found, struct buffer *out);
/* Adds what is certain to the findings; when there is nothing, that limits are all right. */
void token_checks_report(const struct token_checks *t, struct findings *f);
void token_checks_report_one(const struct token_finding *found, struct findings *f);
