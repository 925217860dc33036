/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor.h: the parts of `warren doctor`.
 */
#ifndef WARREN_CLI_DOCTOR_H
#define WARREN_CLI_DOCTOR_H

#include "common/http/client.h"
#include "ui/cli/diagnosis.h"

/* Nodes and alarms, topology, consumers, by the management API. */
void doctor_check_broker(struct cli *c, struct diagnosis *d);

/* A look at the broker. */
struct tenant_names;
struct visit {
        struct diagnosis *d;
        struct http_client *management;
        const char *vhost;
        const struct tenant_names *tenants; /* NULL: the gateway does not say */
        const struct err *unknown;          /* why not */
};

/* A checked answer of the management API. */
int visit_ask(const struct visit *v, const char *path, struct http_reply *reply,
              struct err *e) MUST_CHECK;
void doctor_check_version(const struct visit *v);
/* Is there somebody for every queue that somebody must read? */
void doctor_check_consumers(const struct visit *v);

#endif
