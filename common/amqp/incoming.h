/* SPDX-License-Identifier: Apache-2.0
 *
 * incoming.h: a delivery on its way through the link: made by the assembly, listed by the acker,
 * handed to its owner by the dispatcher, and given back to be settled.
 */
#ifndef WARREN_AMQP_INCOMING_H
#define WARREN_AMQP_INCOMING_H

#include "common/amqp/delivery.h"
#include "common/amqp/notice.h"

struct dispatcher;

enum { CONSUMER_TAG_SIZE = 24 };

/* One allocation: the struct, the property list, the names, the body. free() frees it. */
struct incoming {
        struct notice notice;
        struct dispatcher *home; /* loop: whose it is; NULL once the link is destroyed */
        enum settle how;
        char consumer_tag[CONSUMER_TAG_SIZE]; /* longer ones are none of ours: empty */
        bool stream;
        /* acker.c, on the link's thread */
        uint16_t batch;   /* settled deliveries that an ack of this one waits for */
        uint16_t channel; /* it came by */
        bool acked;       /* settled, not yet written */
        bool waited;
        bool listed;
        size_t size;
        uint64_t epoch, tag;
        struct incoming *prev, *next;
        /* dispatcher.c, on the loop */
        struct incoming *held_prev, *held_next;
        struct delivery delivery;
};

#endif
