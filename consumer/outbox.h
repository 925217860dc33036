/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox.h: messages that must be kept by the broker. What ends unknown (no confirm in time, a
 * nack, a closed connection) is published again until it is confirmed. Loop thread only.
 */
#ifndef WARREN_CONSUMER_OUTBOX_H
#define WARREN_CONSUMER_OUTBOX_H

#include <stdbool.h>
#include <uv.h>

#include "common/amqp/link.h"
#include "common/metrics/metrics.h"
#include "common/model/job.h"

struct outbox;

/* Embedded in what it carries, which must live until `kept`. */
struct parcel {
        /* Writes the message; called for each try. `again`: it may be there already. */
        void (*encode)(const struct parcel *p, bool again, msec now, struct job_message *out);
        /* Confirmed. The parcel is the owner's again. */
        void (*kept)(void *owner, struct parcel *p);
        void *owner;
        struct outbox *outbox;
        bool again;
        int64_t sent_us; /* monotonic */
        struct parcel *prev, *next;
};

/* confirm_seconds: a histogram. The link is borrowed. */
struct outbox *outbox_create(struct link *l, uv_loop_t *loop, struct metric *confirm_seconds);
/* After the link was destroyed. Parcels still here are the owner's. */
void outbox_destroy(struct outbox **o);
void outbox_post(struct outbox *o, struct parcel *p);
/* Posted and not yet kept. */
unsigned outbox_count(const struct outbox *o);

#endif
