/* SPDX-License-Identifier: Apache-2.0
 *
 * live_hub.h: all clients of a gateway's feed, over what they share. Loop's thread only.
 */
#pragma once

#include "gateway/live/live_client.h"
#include "gateway/live/live_counts.h"

/* What holds for a key that was let in. */
enum live_stay {
        LIVE_STAYS,
        LIVE_ENDS,      /* it is revoked or has expired, or the session has ended */
        LIVE_UNCHECKED, /* whether it is cannot be known now */
};

struct live_hub_config {
        const struct link_config *link; /* borrowed, as all of these */
        struct websockets *pool;
        struct live_counts *counts;
        const struct live_meters *meters;
        /* Asked twice a second of each client; must not block. */
        enum live_stay (*stays)(void *owner, const struct live_viewer *v);
        void *owner;
};

struct live_hub;

struct live_hub *live_hub_create(const struct live_hub_config *c, uv_loop_t *loop);
/* Run the loop afterwards. Frees the clients that are left. */
void live_hub_destroy(struct live_hub **h);
/* Takes it. */
void live_hub_add(struct live_hub *h, struct live_client *c, uint64_t socket);
void live_hub_hear(struct live_hub *h, struct live_client *c, struct bytes text);
/* Its socket is closed. Frees it. */
void live_hub_remove(struct live_hub *h, struct live_client *c);
