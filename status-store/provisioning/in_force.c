/* SPDX-License-Identifier: Apache-2.0
 *
 * in_force.c: which limits a record names.
 */
#include "status-store/provisioning/in_force.h"

bool tenant_needs_tokens(const struct tenant *t)
{
        const struct tenant_record *r = &t->record;
        return !r->deleted && r->max_running > 0 && r->slots_version == 0;
}

bool type_needs_slots(const struct type *t)
{
        return t->record.max_running > 0 && t->record.slots_version == 0;
}

bool type_needs_rate(const struct type *t)
{
        return t->record.rate_count > 0 && t->record.rate_version == 0;
}

bool type_needs_tokens(const struct type *t)
{
        return type_needs_slots(t) || type_needs_rate(t);
}

bool tenant_in_force(const struct tenant *t, struct tenant_record *out)
{
        *out = t->record;
        if (!tenant_needs_tokens(t))
                return true;
        out->max_running = t->in_force.count;
        out->slots_version = t->in_force.version;
        return t->in_force.count != 0;
}

bool type_in_force(const struct type *t, struct type_record *out)
{
        *out = t->record;
        if (type_needs_slots(t)) {
                out->max_running = t->slots_in_force.count;
                out->slots_version = t->slots_in_force.version;
        }
        if (type_needs_rate(t)) {
                out->rate_count = t->rate_in_force.count;
                out->rate_per = t->rate_in_force.per;
                out->rate_version = t->rate_in_force.version;
        }
        return out->max_running != 0 && out->rate_count != 0;
}
