/* SPDX-License-Identifier: Apache-2.0
 *
 * provisioning.h: brings the broker and stream `control` in line with the registry. Declares a
 * tenant's exchange, queues and bindings, has the tokens of its and of types' limits filled
 * (token_queues.h), then publishes records; deletes the queues of a deleted tenant once nothing
 * consumes from them; declares the queues of pauses. A thread of its own retries what failed. When
 * the broker comes back, it declares the queues of all tenants and pauses again and publishes the
 * records that `control` lacks, because a stream can lose its last seconds.
 *
 * Any thread; the calls block.
 */
#pragma once

#include <pthread.h>

#include "common/amqp/link.h"
#include "status-store/provisioning/tenant_logins.h"
#include "status-store/registry/registry_types.h"

struct provisioning;

struct provisioning_config {
        struct link_config link;   /* with the provisioning login; several links are made from it */
        struct registry *registry; /* borrowed */
        /* Hold it from the reading of a tenant's or type's row to its change: then no change is
         * refused because the row was given its tokens meanwhile. Borrowed. */
        pthread_mutex_t *changing;
        const struct tenant_logins *logins; /* borrowed */
        /* A pause of a type was published, on or off, and its queue declared; again for each pause
         * when the broker comes back. On the thread that did it, which it may block. */
        void (*paused)(void *owner, const char *key, bool paused);
        void *owner;
        msec delete_after; /* time from a tenant's deletion, or a limit's change, to that of queues
                            */
};

struct provisioning *provisioning_create(const struct provisioning_config *c,
                                         struct err *e) MUST_CHECK;
void provisioning_destroy(struct provisioning **p);

/* ERR_UNAVAILABLE while the broker cannot be reached. Call it before a change is committed. */
int provisioning_check(const struct provisioning *p, struct err *e) MUST_CHECK;
/* `control` has been read, and the registry has seen all of it: until then nothing is sent to the
 * broker by the threads. */
void provisioning_begin(struct provisioning *p);
/* Publishes the unpublished records of the tenant's keys. Waits for no other change. */
int provisioning_apply_keys(struct provisioning *p, const char *tenant, struct err *e) MUST_CHECK;
/* Declares the tenant's queues and publishes its record. While it needs tokens, the record has the
 * limit before, and is published again once they are there. A new tenant's comes only then. */
int provisioning_apply(struct provisioning *p, const char *tenant, struct err *e) MUST_CHECK;
/* The same of a type, which has no queues. */
int provisioning_apply_type(struct provisioning *p, const char *type, struct err *e) MUST_CHECK;
/* Declares the queue of a pause (parked.h) and publishes its record. */
int provisioning_apply_pause(struct provisioning *p, const char *key, struct err *e) MUST_CHECK;
/* Waits at most 5 s until the last change of the tenant or type is published, with the limits that
 * it wants. Hold no lock. */
bool provisioning_await(struct provisioning *p, enum record_kind kind, const char *name);
/* Publishes a marker (markers.h) to `events` and fills its id. 0: confirmed. */
int provisioning_publish_marker(struct provisioning *p, char id[UUID_SIZE],
                                struct err *e) MUST_CHECK;
/* Publishes these lines to `events`. 0: confirmed. */
int provisioning_publish_events(struct provisioning *p, struct bytes lines,
                                struct err *e) MUST_CHECK;
/* Wakes the thread: the registry has an unpublished change. */
void provisioning_wake(struct provisioning *p);
