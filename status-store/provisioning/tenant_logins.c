/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_logins.c: tenants' logins at the broker.
 */
#include "status-store/provisioning/tenant_logins.h"

#include "common/topology/topology.h"

int tenant_logins_check(const struct tenant_logins *l, struct err *e)
{
        if (l->management != NULL)
                return 0;
        return err_set(e, ERR_INVALID,
                       "a broker login needs the management API: set management_url, "
                       "management_login and management_password_file of the status-store");
}

int tenant_logins_make(const struct tenant_logins *l, const char *tenant, const char *password,
                       struct err *e)
{
        if (tenant_logins_check(l, e) != 0)
                return -1;
        return topology_put_tenant_account(l->management, l->vhost, tenant, password, e);
}

int tenant_logins_delete(const struct tenant_logins *l, const char *tenant, struct err *e)
{
        if (tenant_logins_check(l, e) != 0)
                return -1;
        return topology_delete_tenant_account(l->management, tenant, e);
}
