/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor.h: the parts of `warren doctor`.
 */
#pragma once

#include "common/http/client.h"
#include "ui/cli/diagnosis.h"

/* Checks nodes, alarms, version, topology and consumers through the management API. */
void doctor_check_broker(struct cli *c, struct diagnosis *d);

/* What the checks of the broker share. */
struct tenant_names;
struct broker_checks {
        struct diagnosis *d;
        struct http_client *management;
        const char *vhost;
        const struct tenant_names *tenants; /* NULL: they could not be read */
        const struct err *unknown;          /* why tenants is NULL */
};
/* Checks that every queue has the consumer that it needs. */
void doctor_check_consumers(const struct broker_checks *b);
/* Checks that no limit has lost tokens. The tenants must be known. Takes 30 s when it looks so, and
 * 60 s at most before it fixes any. */
void doctor_check_tokens(struct cli *c, const struct broker_checks *b);
