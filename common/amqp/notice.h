/* SPDX-License-Identifier: Apache-2.0
 *
 * notice.h: what a link's thread reports to the loop. Deliveries, ended publishes and answered
 * declarations are structs that begin with a notice; all others are a notice_plain.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/amqp/node_list.h"
#include "common/base/err.h"
#include "common/base/memory.h"

struct subscription;

enum notice_kind {
        NOTICE_DELIVERY,
        NOTICE_PUBLISHED,
        NOTICE_DECLARED,
        NOTICE_UP,
        NOTICE_DOWN,
        NOTICE_BLOCKED,
        NOTICE_UNBLOCKED,
        NOTICE_REFUSED,
        NOTICE_WHERE, /* asks where a stream's subscription is to start */
        NOTICE_GONE,  /* a subscription's last notice: it may be freed */
        NOTICE_DRAINED,
};

struct notice {
        struct node node;
        enum notice_kind kind;
};

struct notice_plain {
        struct notice notice;
        struct subscription *subscription; /* REFUSED, WHERE, GONE */
        uint64_t epoch;                    /* UP, WHERE: of the connection */
        bool clean;                        /* DRAINED */
        struct err why;                    /* DOWN, REFUSED */
};

/* Adds a plain notice, which the caller fills in before it hands the list over. */
static inline struct notice_plain *notice_add(struct node_list *l, enum notice_kind kind)
{
        struct notice_plain *n = xcalloc(1, sizeof(*n));

        n->notice.kind = kind;
        node_list_add(l, &n->notice.node);
        return n;
}
