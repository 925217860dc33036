/* SPDX-License-Identifier: Apache-2.0
 *
 * control.h: a program's view of tenants, types, API keys and pauses: the highest version of each
 * record in stream `control`, read from its start and followed. Records are accepted only from the
 * provisioning login.
 *
 * Threads: create and destroy on the loop's thread; the lookups on any.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/model/record.h"

struct control;

struct control_events {
        /* All on the loop's thread; any may be NULL. At the start: once for each record, then
         * `ready`. Later: for each new version of a record, deletions included. */
        void (*tenant)(void *owner, const struct tenant_record *t);
        void (*key)(void *owner, const struct key_record *k);
        void (*pause)(void *owner, const struct pause_record *p);
        void (*type)(void *owner, const struct type_record *t);
        void (*ready)(void *owner);
};

/* config: for two links, see catch_up.h; borrowed for the call. */
struct control *control_create(const struct link_config *config, const struct control_events *on,
                               void *owner, uv_loop_t *loop, struct err *e) MUST_CHECK;
void control_destroy(struct control **c);

/* Every record of the start has been reported. */
bool control_is_ready(struct control *c);
/* The stream is being followed: the connection is up, as far as is known. */
bool control_is_up(struct control *c);
/* Copies; false: unknown or deleted. */
bool control_tenant(struct control *c, const char *name, struct tenant_record *out);
/* Copies; false: unknown. The caller must check `revoked` and `expires`. */
bool control_key(struct control *c, const char *id, struct key_record *out);
/* Copies the limits of a type; false: unknown, so there are none. */
bool control_type(struct control *c, const char *name, struct type_record *out);
/* The pause that holds such jobs back; of two the tenant's. out: a copy of its record, or NULL.
 * That the tenant itself is paused is in its record. */
enum pause control_pause(struct control *c, const char *tenant, const char *type,
                         struct pause_record *out);
/* Calls each for every tenant that is not deleted, with the mutex locked: it must be short and not
 * call control_*. */
void control_each_tenant(struct control *c,
                         void (*each)(void *owner, const struct tenant_record *t), void *owner);
/* The same for every pause of a type that was ever made. */
void control_each_pause(struct control *c, void (*each)(void *owner, const struct pause_record *p),
                        void *owner);
