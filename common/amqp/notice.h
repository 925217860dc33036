/* SPDX-License-Identifier: Apache-2.0
 *
 * notice.h: what a link's thread tells its loop. A message that was delivered, a publish that has
 * ended and a declaration that was answered begin with a notice of their own; the rest are plain.
 */
#ifndef WARREN_AMQP_NOTICE_H
#define WARREN_AMQP_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/amqp/node_list.h"
#include "common/base/err.h"

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
        NOTICE_WHERE, /* a stream's subscription wants to know where to start */
        NOTICE_GONE,  /* the last one about a subscription */
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

/* Adds a plain notice. Lent: filled in before the list is handed over. */
struct notice_plain *notice_add(struct node_list *l, enum notice_kind kind);

#endif
