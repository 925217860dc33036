/* SPDX-License-Identifier: Apache-2.0
 *
 * packer.h: tells the event stream, in packs (common/amqp/pack.h), which jobs the gateway has put
 * into queues. Group commit, without a timer: at the end of a turn of the loop the open pack leaves
 * if none is on its way; else when that one is confirmed, or when the open one is full. A pack is
 * published until it is confirmed. Loop thread only, but for packer_is_ready and packer_untold.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "common/amqp/link.h"
#include "gateway/in_flight.h"
#include "gateway/meters.h"

struct packer;

struct packer_config {
        struct link *link;           /* feeds stream `events`; all are borrowed */
        const char *app_id;          /* of the packs */
        msec late;                   /* a pack is late when it has no confirm by then */
        struct in_flight *in_flight; /* the jobs of a pack leave it when the pack is confirmed */
        const struct meters *meters;
};

/* Called once. in_time: the stream has the job; false: its pack is late. */
struct told_wait {
        void (*done)(void *owner, bool in_time);
        void *owner;
};

struct packer *packer_create(const struct packer_config *c, uv_loop_t *loop);
/* After its link was destroyed. Unconfirmed packs are dropped. Run the loop afterwards. */
void packer_destroy(struct packer **p);
/* Copies m, a job message as for link_publish. bytes: as it entered in_flight. wait: NULL: nobody
 * waits. */
void packer_add(struct packer *p, const struct message *m, size_t bytes,
                const struct told_wait *wait);
/* The stream takes packs: the link is up, and no pack has been late since the last confirm. `why`
 * says what is missing. */
bool packer_is_ready(const struct packer *p, struct err *why);
/* The jobs in packs that are not confirmed. */
unsigned packer_untold(const struct packer *p);

/* Calls done once: when every pack is confirmed, or after `limit` ms. */
typedef void packer_drained_fn(void *owner);
void packer_drain(struct packer *p, msec limit, packer_drained_fn *done, void *owner);
