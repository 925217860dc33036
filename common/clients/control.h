/* SPDX-License-Identifier: Apache-2.0
 *
 * control.h: what every program knows of tenants, keys and pauses: the highest version of each
 * record of stream `control`, read from its start and followed. Only records that the provisioning
 * login published count.
 *
 * Threads: create and destroy on the loop's thread; the lookups on any.
 */
#ifndef WARREN_CLIENTS_CONTROL_H
#define WARREN_CLIENTS_CONTROL_H

#include "common/amqp/link.h"
#include "common/model/record.h"

struct control;

struct control_events {
        /* All on the loop's thread. A record's new version, deletions included; at the start once
         * for each record, then `ready` once the reader's own marker has come back. NULLs allowed.
         */
        void (*tenant)(void *owner, const struct tenant_record *t);
        void (*key)(void *owner, const struct key_record *k);
        void (*pause)(void *owner, const struct pause_record *p);
        void (*ready)(void *owner);
};

/* config->name and the like as for link_create; two links are made from it (reading; the marker).
 */
struct control *control_create(const struct link_config *config, const struct control_events *on,
                               void *owner, uv_loop_t *loop, struct err *e) MUST_CHECK;
void control_destroy(struct control **c);

bool control_is_ready(const struct control *c);
/* Copies; false when unknown or deleted. */
bool control_tenant(struct control *c, const char *name, struct tenant_record *out);
/* Copies; false when unknown. Revoked and expired keys are found: the caller says so. */
bool control_key(struct control *c, const char *id, struct key_record *out);
bool control_type_is_paused(struct control *c, const char *type);
/* Calls each for every tenant that is not deleted, under the lock: keep it short. */
void control_each_tenant(struct control *c,
                         void (*each)(void *owner, const struct tenant_record *t), void *owner);

#endif
