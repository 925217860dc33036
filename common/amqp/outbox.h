/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox.h: messages that must be kept by the broker. What ends unknown (no confirm in time, a
 * nack, a closed connection) is published again until it is confirmed. Loop thread only.
 */
#ifndef WARREN_AMQP_OUTBOX_H
#define WARREN_AMQP_OUTBOX_H

#include <stdbool.h>
#include <uv.h>

#include "common/amqp/link.h"
#include "common/model/job.h"

struct outbox;

/* Embedded in what it carries, which must live until `kept`. */
struct publication {
        /* Writes the message; called for each try. `again`: it may be there already. */
        void (*encode)(const struct publication *p, bool again, msec now, struct job_message *out);
        /* Confirmed. The publication is the owner's again. */
        void (*kept)(void *owner, struct publication *p);
        void *owner;
        struct outbox *outbox;
        bool again;
        int64_t sent_us; /* monotonic */
        struct publication *prev, *next;
};

/* Told, unless NULL, how long each confirm took. The link is borrowed. */
typedef void confirmed_fn(void *owner, double seconds);
struct outbox *outbox_create(struct link *l, uv_loop_t *loop, confirmed_fn *confirmed, void *owner);
/* After the link was destroyed. Publications still here are the owner's. */
void outbox_destroy(struct outbox **o);
void outbox_post(struct outbox *o, struct publication *p);
/* Posted and not yet kept. */
unsigned outbox_count(const struct outbox *o);

#endif
