/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox.h: publishes messages until the broker has confirmed them. After no confirm in time, a
 * nack, a return or a closed connection a message is published again. Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "common/amqp/link.h"
#include "common/model/job.h"

struct outbox;

/* Embedded in its owner's struct; must live until `confirmed`. */
struct publication {
        /* Writes the message; called for each try. again: the broker may have it already. */
        void (*encode)(const struct publication *p, bool again, msec now, struct job_message *out);
        /* The broker has confirmed it. The owner may free or reuse the publication. */
        void (*confirmed)(void *owner, struct publication *p);
        /* No queue takes it. True: that was its end, as for `confirmed`. NULL: none is final. */
        bool (*returned)(void *owner, struct publication *p);
        void *owner;
        struct outbox *outbox;
        bool again;
        int64_t sent_us; /* monotonic clock */
        struct publication *prev, *next;
};

/* Called with the time from each publish to its confirm; may be NULL. */
typedef void confirm_time_fn(void *owner, double seconds);
/* The link is borrowed. */
struct outbox *outbox_create(struct link *l, uv_loop_t *loop, confirm_time_fn *confirm_time,
                             void *owner);
/* After the link was destroyed. Does not free or report publications that are not confirmed. */
void outbox_destroy(struct outbox **o);
void outbox_post(struct outbox *o, struct publication *p);
