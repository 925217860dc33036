/* SPDX-License-Identifier: Apache-2.0
 *
 * judge.c: the checks of a submission, in the order in which they are made.
 */
#include "gateway/judge.h"

#include <inttypes.h>

#include "gateway/submission.h"

static bool refuse_tenant(struct bytes body, struct refusal *why)
{
        struct scan_value value = {0};
        struct scan_fault fault = {.pointer = "/tenant_id",
                                   .line = 1,
                                   .column = 1,
                                   .detail = "there is no such tenant"};

        if (scan_find(scan_root(body), "tenant_id", &value))
                scan_locate(body, value.raw.data, &fault.line, &fault.column);
        return refusal_set_fault(why, 422, &fault);
}

static bool can_publish(struct gateway *g, struct refusal *why)
{
        struct err e = {0};

        return (link_is_ready(g->queues.link, &e) && packer_is_ready(g->packer, &e)) ||
               refusal_set_err(why, &e);
}

bool judge_read(struct gateway *g, const struct judge_input *in, struct job *job,
                struct tenant_record *t, struct refusal *why)
{
        struct submission_refusal parsed = {0};
        const struct submission_rules rules = {.tenant = in->own,
                                               .now = clock_wall(),
                                               .payload_max = (size_t)g->settings->payload_max};

        if (submission_parse(in->body, &rules, job, &parsed) != 0)
                return refusal_set_fault(why, parsed.status, &parsed.fault);
        if (!control_tenant(g->control, job->tenant, t))
                return refuse_tenant(in->body, why);
        return can_publish(g, why);
}

static bool refuse_rate(const struct tenant_record *t, msec retry, struct refusal *why)
{
        why->retry = (retry + MSEC_SECOND - 1) / MSEC_SECOND;
        return refusal_set(why, REFUSED_RATE, 429, "tenant %s submits faster than its rate",
                           t->name);
}

static bool refuse_backlog(const struct tenant_record *t, struct refusal *why)
{
        return refusal_set(why, REFUSED_BACKLOG, 429,
                           "tenant %s has %" PRId64 " jobs pending, its limit", t->name,
                           t->max_pending);
}

/* Until then a tenant could submit at twice its rate by a restart. */
static bool knows_what_was_admitted(struct gateway *g, const struct tenant_record *t,
                                    struct refusal *why)
{
        struct err e = {0};

        return t->rate_count == RECORD_UNLIMITED || admits_is_ready(g->admits, &e) ||
               refusal_set_err(why, &e);
}

bool judge_rate(struct gateway *g, const struct tenant_record *t, struct allowance *a,
                struct refusal *why)
{
        *a = (struct allowance){0};
        if (!knows_what_was_admitted(g, t, why))
                return false;
        *a = limiter_take(g->limiter, t, clock_mono(), BUCKET_TAKE);
        return a->granted || refuse_rate(t, a->retry, why);
}

bool judge_backlog(struct gateway *g, const struct tenant_record *t, struct refusal *why)
{
        if (backlog_admit(g->backlog, t->name, t->max_pending, &why->retry))
                return true;
        limiter_return(g->limiter, t->name);
        return refuse_backlog(t, why);
}

void judge_undo(struct gateway *g, const char *tenant)
{
        limiter_return(g->limiter, tenant);
        backlog_return(g->backlog, tenant);
}

/* Until there is a token for one more after `before` others, which use up those that are left. */
static msec wait_after(const struct tenant_record *t, unsigned before, const struct allowance *a)
{
        if (before == 0 || !a->granted || t->rate_count <= 0)
                return a->retry;
        return (before + 1 - a->remaining) * t->rate_per / t->rate_count;
}

bool judge_limits(struct gateway *g, const struct judge_trial *trial, struct allowance *a,
                  struct refusal *why)
{
        const struct tenant_record *t = trial->tenant;
        int64_t most = t->max_pending;

        *a = (struct allowance){0};
        if (!knows_what_was_admitted(g, t, why))
                return false;
        *a = limiter_take(g->limiter, t, clock_mono(), BUCKET_LOOK);
        if (!a->granted || (a->limited && a->remaining <= trial->before))
                return refuse_rate(t, wait_after(t, trial->before, a), why);
        if (most != RECORD_UNLIMITED)
                most = most > trial->before ? most - trial->before : 0;
        if (!backlog_admit(g->backlog, t->name, most, &why->retry))
                return refuse_backlog(t, why);
        if (most != RECORD_UNLIMITED)
                backlog_return(g->backlog, t->name);
        return true;
}
