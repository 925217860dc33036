/* SPDX-License-Identifier: Apache-2.0
 *
 * judge.c: the checks of a submission, in the order in which they are made.
 */
#include "gateway/judge.h"

#include <inttypes.h>

#include "gateway/submission.h"

bool judge_read(struct gateway *g, const struct judge_input *in, struct job *job,
                struct tenant_record *t, struct refusal *why)
{
        struct submission_refusal parsed = {0};
        const struct submission_rules rules = {.tenant = in->own,
                                               .now = clock_wall(),
                                               .payload_max = (size_t)g->settings->payload_max,
                                               .key = in->key};

        if (submission_parse(in->body, &rules, job, &parsed) != 0)
                return refusal_set_fault(why, parsed.status, &parsed.fault);
        if (control_tenant(g->control, job->tenant, t))
                return true;
        return refusal_set_member(
                why, &(struct refused_member){in->body, "tenant_id", "there is no such tenant"});
}

bool judge_rate(struct gateway *g, const struct tenant_record *t, struct allowance *a,
                struct refusal *why)
{
        struct err e = {0};

        *a = (struct allowance){0};
        /* Until then a tenant could submit at twice its rate by a restart. */
        if (t->rate_count != RECORD_UNLIMITED && !admits_is_ready(g->admits, &e))
                return refusal_set_err(why, &e);
        *a = limiter_take(g->limiter, t, clock_mono(), BUCKET_TAKE);
        if (a->granted)
                return true;
        why->retry = (a->retry + MSEC_SECOND - 1) / MSEC_SECOND;
        return refusal_set(why, REFUSED_RATE, 429, "tenant %s submits faster than its rate",
                           t->name);
}

bool judge_backlog(struct gateway *g, const struct tenant_record *t, struct refusal *why)
{
        if (backlog_admit(g->backlog, t->name, t->max_pending, &why->retry))
                return true;
        limiter_return(g->limiter, t->name);
        return refusal_set(why, REFUSED_BACKLOG, 429,
                           "tenant %s has %" PRId64 " jobs pending, its limit", t->name,
                           t->max_pending);
}

void judge_undo(struct gateway *g, const char *tenant)
{
        limiter_return(g->limiter, tenant);
        backlog_return(g->backlog, tenant);
}
