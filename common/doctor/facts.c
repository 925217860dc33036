/* SPDX-License-Identifier: Apache-2.0
 *
 * facts.c: lists of tenants, limits and pauses.
 */
#include "common/doctor/facts.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"

void doctor_facts_fini(struct doctor_facts *f)
{
        free(f->tenants);
        free(f->limits);
        free(f->pauses);
        *f = (struct doctor_facts){0};
}

void doctor_facts_add_tenant(struct doctor_facts *f, const char *name, bool paused)
{
        f->tenants = xrealloc(f->tenants, (f->tenant_count + 1) * sizeof(*f->tenants));
        struct doctor_tenant *t = &f->tenants[f->tenant_count++];
        snprintf(t->name, sizeof(t->name), "%s", name);
        t->paused = paused;
}

void doctor_facts_add_limit(struct doctor_facts *f, const struct doctor_limit *limit)
{
        f->limits = xrealloc(f->limits, (f->limit_count + 1) * sizeof(*f->limits));
        f->limits[f->limit_count++] = *limit;
}

void doctor_facts_add_pause(struct doctor_facts *f, const struct doctor_pause *pause)
{
        f->pauses = xrealloc(f->pauses, (f->pause_count + 1) * sizeof(*f->pauses));
        f->pauses[f->pause_count++] = *pause;
}

const char *doctor_noun(enum limit_queue kind)
{
        return kind == LIMIT_TENANT_SLOTS ? "tenant" : "type";
}
