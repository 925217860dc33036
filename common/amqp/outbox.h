/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox.h: messages that must be confirmed by the broker. One that ends otherwise (no confirm in
 * time, a nack, returned, a closed connection) is published again until it is confirmed. Loop's
 * thread only.
 */
#ifndef WARREN_AMQP_OUTBOX_H
#define WARREN_AMQP_OUTBOX_H

#include <stdbool.h>
#include <uv.h>

#include "common/amqp/link.h"
#include "common/model/job.h"

struct outbox;

/* Embedded in the struct it sends, which must live until `kept`. */
struct publication {
        /* Writes the message; called for each try. `again`: the broker may have it already. */
        void (*encode)(const struct publication *p, bool again, msec now, struct job_message *out);
        /* Confirmed: the owner may free or reuse the publication. */
        void (*kept)(void *owner, struct publication *p);
        void *owner;
        struct outbox *outbox;
        bool again;
        int64_t sent_us; /* monotonic clock */
        struct publication *prev, *next;
};

/* Called with the time each confirm took. */
typedef void confirmed_fn(void *owner, double seconds);
/* Borrows the link; confirmed may be NULL. */
struct outbox *outbox_create(struct link *l, uv_loop_t *loop, confirmed_fn *confirmed, void *owner);
/* Call after link_destroy. The owner frees the publications still posted. */
void outbox_destroy(struct outbox **o);
void outbox_post(struct outbox *o, struct publication *p);
/* Posted and not yet confirmed. */
unsigned outbox_count(const struct outbox *o);

#endif
