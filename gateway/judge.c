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

        bool good = submission_parse(in->body, &rules, job, &parsed) == 0;
        bool may_replay = parsed.too_late && job->key[0] != '\0';
        if (!good && !may_replay)
                return refusal_set_fault(why, parsed.status, &parsed.fault);
        if (!control_tenant(g->control, job->tenant, t))
                return refusal_set_member(why, &(struct refused_member){in->body, "tenant_id",
                                                                        "there is no such tenant"});
        if (good)
                return true;
        why->may_replay = true;
        return refusal_set_fault(why, parsed.status, &parsed.fault);
}

bool judge_links(struct gateway *g, struct refusal *why)
{
        struct err e = {0};

        return (link_is_ready(g->queues.link, &e) && packer_is_ready(g->packer, &e)) ||
               refusal_set_err(why, &e);
}

/* Until then a tenant could submit at twice its rate by a restart. */
static bool knows_what_was_admitted(struct gateway *g, const struct tenant_record *t,
                                    struct refusal *why)
{
        struct err e = {0};

        return t->rate_count == RECORD_UNLIMITED || admits_is_ready(g->admits, &e) ||
               refusal_set_err(why, &e);
}

/* Takes the jobs before off what a look has found. */
static void count_before(const struct judge_limits *l, struct allowance *a)
{
        const struct tenant_record *t = l->tenant;

        if (!a->limited || !a->granted || a->remaining > l->before)
                return;
        a->granted = false;
        a->retry = (l->before + 1 - a->remaining) * t->rate_per / t->rate_count;
        a->remaining = 0;
}

bool judge_rate(struct gateway *g, const struct judge_limits *l, struct allowance *a,
                struct refusal *why)
{
        *a = (struct allowance){0};
        if (!knows_what_was_admitted(g, l->tenant, why))
                return false;
        *a = limiter_take(g->limiter, l->tenant, clock_mono(),
                          l->trial ? BUCKET_LOOK : BUCKET_TAKE);
        if (l->trial)
                count_before(l, a);
        if (a->granted)
                return true;
        why->retry = (a->retry + MSEC_SECOND - 1) / MSEC_SECOND;
        return refusal_set(why, REFUSED_RATE, 429, "tenant %s submits faster than its rate",
                           l->tenant->name);
}

static bool has_room(struct gateway *g, const struct judge_limits *l, int64_t *retry)
{
        const struct tenant_record *t = l->tenant;
        int64_t most = t->max_pending;

        if (!l->trial || most == RECORD_UNLIMITED)
                return backlog_admit(g->backlog, t->name, most, retry);
        if (!backlog_admit(g->backlog, t->name, most > l->before ? most - l->before : 0, retry))
                return false;
        backlog_return(g->backlog, t->name);
        return true;
}

bool judge_backlog(struct gateway *g, const struct judge_limits *l, struct refusal *why)
{
        const struct tenant_record *t = l->tenant;

        if (has_room(g, l, &why->retry))
                return true;
        if (!l->trial)
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
