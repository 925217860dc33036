/* SPDX-License-Identifier: Apache-2.0
 *
 * outgoing.h: a copy of a message to be published. After its creation only the publisher changes
 * it, but for `wait`.
 */
#pragma once

#include "common/amqp/link_types.h"
#include "common/amqp/notice.h"
#include "common/amqp/wire.h"
#include "common/base/clock.h"

/* One allocation: the struct, the header entries, the strings, the body. free() frees it. */
struct outgoing {
        struct notice notice;
        enum link_result result;
        struct publish_wait wait;
        size_t cost; /* its bytes in the window */
        msec since;  /* start of its confirm_timeout; 0: not begun */
        bool returned, mandatory, again;
        bool probe; /* see gate.h */
        amqp_bytes_t exchange, routing_key, body;
        amqp_bytes_t raw;                   /* given property list; replaces `properties` */
        amqp_basic_properties_t properties; /* with room for one more header */
};

/* A mandatory message that the broker sent back. */
struct returned {
        amqp_bytes_t exchange, routing_key, message_id, body;
};

/* login: becomes the user_id of a message that has no property list of its own. */
struct outgoing *outgoing_create(const struct message *m, const char *login,
                                 struct err *e) MUST_CHECK;
/* Adds the header x-again: it may have been published before. A raw list stays as it is. */
void outgoing_mark_again(struct outgoing *o);
/* r may be a return of this message: a basic.return does not carry the publish's number. */
bool outgoing_looks_like(const struct outgoing *o, const struct returned *r);
