/* SPDX-License-Identifier: Apache-2.0
 *
 * provisioning.h: makes the broker and stream `control` say what the registry says: declares a
 * tenant's exchange, queues and bindings, then publishes its record; deletes the queues of a
 * deleted tenant when nobody consumes from them. What could not be done is done again by a thread
 * of its own. Whenever the broker comes back the queues of all tenants are declared again, and what
 * `control` does not hold is told again: a stream can lose its last seconds.
 *
 * Any thread; the calls block.
 */
#ifndef WARREN_STATUS_STORE_PROVISIONING_H
#define WARREN_STATUS_STORE_PROVISIONING_H

#include "common/amqp/link.h"
#include "common/http/client.h"
#include "status-store/registry.h"

struct provisioning;

struct provisioning_config {
        struct link_config link;        /* of the provisioning login; two links are made of it */
        struct registry *registry;      /* borrowed */
        struct http_client *management; /* borrowed; NULL: not configured */
        const char *vhost;
        msec delete_after; /* between a tenant's deletion and that of its queues */
};

struct provisioning *provisioning_create(const struct provisioning_config *c,
                                         struct err *e) MUST_CHECK;
void provisioning_destroy(struct provisioning **p);

/* ERR_UNAVAILABLE while the broker cannot be reached. Asked before a change is committed. */
int provisioning_check(const struct provisioning *p, struct err *e) MUST_CHECK;
/* Declares and tells what the registry holds of this tenant (and of its keys) and has not told. */
int provisioning_settle(struct provisioning *p, const char *tenant, struct err *e) MUST_CHECK;
/* ERR_INVALID when no management API is configured. */
int provisioning_can_make_login(const struct provisioning *p, struct err *e) MUST_CHECK;
/* Creates or renews the tenant's broker login with this password. */
int provisioning_make_login(struct provisioning *p, const char *tenant, const char *password,
                            struct err *e) MUST_CHECK;
int provisioning_delete_login(struct provisioning *p, const char *tenant, struct err *e) MUST_CHECK;
/* Publishes a marker to `events` (see markers.h) and fills its id. 0: the broker has it. */
int provisioning_mark(struct provisioning *p, char id[UUID_SIZE], struct err *e) MUST_CHECK;
/* Publishes these lines to `events`. 0: the broker has them. */
int provisioning_tell(struct provisioning *p, struct bytes lines, struct err *e) MUST_CHECK;
/* Wakes the thread: something is untold. */
void provisioning_wake(struct provisioning *p);

#endif
