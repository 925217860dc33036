/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_removal.h: removes what a deleted tenant has at the broker; then its name is free.
 */
#pragma once

#include "common/amqp/link.h"
#include "status-store/provisioning/tenant_logins.h"
#include "status-store/registry/registry.h"

struct tenant_removal {
        struct registry *registry; /* borrowed, like the others */
        struct link *link;         /* declares */
        const struct tenant_logins *logins;
        msec after;          /* the deletion */
        struct err *refused; /* set when a login may still exist, and says why */
};

/* Deletes the queues and the login of a tenant that was deleted long enough ago; waits while its
 * queues have consumers: 0 then too, and the next call goes on. */
int tenant_remove(const struct tenant_removal *r, const struct tenant *t, struct err *e) MUST_CHECK;
