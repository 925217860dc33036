/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_removal.c: removes what a deleted tenant has at the broker.
 */
#include "status-store/provisioning/tenant_removal.h"

#include "common/base/log.h"
#include "common/topology/topology.h"

/* False when the login may still exist; r->refused then says why. */
static bool remove_login(const struct tenant_removal *r, const struct tenant *t)
{
        struct err why = {0};
        if (tenant_logins_delete(r->logins, t->record.name, &why) == 0 &&
            registry_note_login(r->registry, t->record.name, LOGIN_NONE, &why) == 0)
                return true;
        (void)err_set(r->refused, why.code, "login of %s: %s", t->record.name, why.text);
        return false;
}

/* Before the name is free, the login is deleted once more, known or not: else it could act as the
 * next tenant of that name. */
int tenant_remove(const struct tenant_removal *r, const struct tenant *t, struct err *e)
{
        struct err why = {0};
        if (!t->record.deleted || clock_wall() < t->deleted_at + r->after)
                return 0;
        if ((t->amqp_login || t->login_unsure) && !remove_login(r, t))
                return 0;
        if (topology_delete_tenant(r->link, t->record.name, &why) != 0) {
                if (why.code != ERR_CONFLICT)
                        return err_set(e, why.code, "%s", why.text);
                return 0;
        }
        if (r->logins->management != NULL && !remove_login(r, t))
                return 0;
        LOG_INFO("queues of a deleted tenant removed", log_text("tenant", t->record.name));
        return registry_drop_tenant(r->registry, t->record.name, e);
}
