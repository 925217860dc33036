/* SPDX-License-Identifier: Apache-2.0
 *
 * act_job.c: reads a job that is acted on, judges it, and notes what is to be done.
 */
#include "status-store/acts/act_job.h"

#include <stdio.h>
#include <string.h>

#include "common/base/own.h"
#include "status-store/jobs/lookup.h"

void act_job_fini(struct act_job *j)
{
        stored_job_fini(&j->job);
}

int act_job_read(const struct act_tools *t, const char *tenant, const char *id, struct act_job *out,
                 bool *has_payload, struct err *e)
{
        AUTO_READER *reader = readers_take(t->readers, e);
        if (reader == NULL)
                return -1;
        int found = lookup_job(reader, tenant, id, &out->job, e);
        int stored = found == 1 ? act_payload(reader, &out->job.row, NULL, e) : 0;
        *has_payload = stored == 1;
        return stored < 0 ? -1 : found;
}

int act_tenant_lives(const struct act_tools *t, const char *tenant, struct err *e)
{
        struct tenant read;
        int found = registry_tenant(t->registry, tenant, &read, e);
        return found == 1 ? !read.record.deleted : found;
}

int act_job_judge(const struct act_tools *t, const struct act *act, struct act_job *j,
                  struct act_plan *plan, struct err *e)
{
        bool has_payload = false;
        int found = act_job_read(t, act->tenant, act->id, j, &has_payload, e);
        if (found < 0)
                return -1;
        const struct job_row *row = found == 1 ? &j->job.row : NULL;
        act_judge(row, act, has_payload, clock_wall(), plan);
        if (plan->refusal != ACT_ALLOWED || plan->done || !act_publishes(plan->kind))
                return 1;
        int lives = act_tenant_lives(t, row->tenant, e);
        if (lives == 0)
                plan->refusal = ACT_NO_TENANT;
        return lives < 0 ? -1 : 1;
}

void act_job_intend(const struct act *act, const struct act_plan *plan, struct act_job *j)
{
        const struct job_row *row = &j->job.row;
        struct intent *i = &j->intent;
        *i = (struct intent){.kind = plan->kind,
                             .run = plan->run,
                             .attempt = plan->kind == ACT_RETRY ? 1 : plan->attempt,
                             .run_at = plan->run_at,
                             .priority = plan->priority,
                             .moved = plan->moved,
                             .due = plan->due > plan->run_at ? plan->due : plan->run_at,
                             .at = clock_wall()};
        if (act_publishes(plan->kind))
                i->copy = operator_copy_number(act_highest_copy(row));
        memcpy(i->tenant, row->tenant, sizeof(i->tenant));
        memcpy(i->id, row->id, sizeof(i->id));
        memcpy(i->by, act->by, sizeof(i->by));
        snprintf(i->type, sizeof(i->type), "%s", job_row_type(row));
}
