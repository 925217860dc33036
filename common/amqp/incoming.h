/* SPDX-License-Identifier: Apache-2.0
 *
 * incoming.h: a delivery on its way through the link: made by the assembly, listed by the acker,
 * handed to its owner by the link, and given back to be settled.
 */
#pragma once

#include "common/amqp/link_types.h"
#include "common/amqp/notice.h"

struct link;

enum { CONSUMER_TAG_SIZE = 24 };

/* One allocation: the struct, the property list, the names, the body. free() frees it. */
struct incoming {
        struct notice notice;
        struct link *home; /* loop's thread; NULL once the link is destroyed */
        enum settle how;
        char consumer_tag[CONSUMER_TAG_SIZE]; /* empty: longer, so not one of consume.h */
        bool stream;
        /* acker.c, on the link's thread */
        uint16_t batch; /* its ack is written when so many deliveries are acked */
        uint16_t channel;
        bool acked;  /* the ack is not yet written */
        bool waited; /* the ack was left for the next batch once already */
        bool listed; /* unsettled or acked, on an open channel */
        size_t size; /* bytes of the allocation */
        uint64_t epoch, tag;
        struct incoming *prev, *next;
        /* link.c, on the loop */
        struct incoming *held_prev, *held_next;
        struct delivery delivery;
};
