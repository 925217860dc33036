/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_logins.h: tenants' logins at the broker, by its management API. Any thread; calls block.
 */
#pragma once

#include "common/http/client.h"

struct tenant_logins {
        struct http_client *management; /* borrowed; NULL: not configured */
        const char *vhost;
};

/* ERR_INVALID when no management API is configured. */
int tenant_logins_check(const struct tenant_logins *l, struct err *e) MUST_CHECK;
/* Creates or renews the tenant's login with this password. */
int tenant_logins_make(const struct tenant_logins *l, const char *tenant, const char *password,
                       struct err *e) MUST_CHECK;
int tenant_logins_delete(const struct tenant_logins *l, const char *tenant,
                         struct err *e) MUST_CHECK;
