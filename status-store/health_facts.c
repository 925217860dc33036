/* SPDX-License-Identifier: Apache-2.0
 *
 * health_facts.c: reads registry.db and stream `control`.
 */
#include "status-store/health_facts.h"

#include <stdio.h>

#include "status-store/registry/registry_types.h"

static int add_tenant(void *owner, const struct tenant *t, struct err *e)
{
        struct doctor_facts *facts = owner;
        struct doctor_limit limit = {.kind = LIMIT_TENANT_SLOTS,
                                     .version = t->record.slots_version,
                                     .tokens = t->record.max_running};

        (void)e;
        if (t->deleted_at != 0)
                return 0;
        doctor_facts_add_tenant(facts, t->record.name, t->record.paused);
        if (t->record.max_running == RECORD_UNLIMITED)
                return 0;
        snprintf(limit.of, sizeof(limit.of), "%s", t->record.name);
        doctor_facts_add_limit(facts, &limit);
        return 0;
}

static int add_type(void *owner, const struct type *t, struct err *e)
{
        struct doctor_facts *facts = owner;
        const struct type_record *r = &t->record;
        struct doctor_limit slots = {
                .kind = LIMIT_TYPE_SLOTS, .version = r->slots_version, .tokens = r->max_running};
        struct doctor_limit rate = {
                .kind = LIMIT_TYPE_RATE, .version = r->rate_version, .tokens = r->rate_count};

        (void)e;
        snprintf(slots.of, sizeof(slots.of), "%s", r->name);
        snprintf(rate.of, sizeof(rate.of), "%s", r->name);
        if (r->max_running != RECORD_UNLIMITED)
                doctor_facts_add_limit(facts, &slots);
        if (r->rate_count != RECORD_UNLIMITED)
                doctor_facts_add_limit(facts, &rate);
        return 0;
}

static void add_pause(void *owner, const struct pause_record *p)
{
        struct doctor_pause pause = {.paused = p->paused, .since = p->paused_at};

        snprintf(pause.key, sizeof(pause.key), "%s", p->key);
        doctor_facts_add_pause(owner, &pause);
}

int health_facts_read(struct registry *r, struct control *c, struct doctor_facts *facts,
                      struct err *e)
{
        if (registry_each_tenant(r, WHICH_ALL, add_tenant, facts, e) != 0 ||
            registry_each_type(r, WHICH_ALL, add_type, facts, e) != 0)
                return -1;
        control_each_pause(c, add_pause, facts);
        return 0;
}
