/* SPDX-License-Identifier: Apache-2.0
 *
 * outgoing.h: a message on its way out, as a copy of its own. A plain struct: the publisher owns
 * what changes in it after its creation, `wait` and `cost` excepted.
 */
#ifndef WARREN_AMQP_OUTGOING_H
#define WARREN_AMQP_OUTGOING_H

#include "common/amqp/link_events.h"
#include "common/amqp/notice.h"
#include "common/amqp/wire.h"
#include "common/base/clock.h"

/* One allocation: the struct, the header entries, the strings, the body. free() frees it. */
struct outgoing {
        struct notice notice;
        enum link_result result;
        struct publish_wait wait;
        size_t cost; /* bytes it takes of the window */
        msec since;  /* when the time for its confirm began; 0: it has not */
        bool returned, mandatory, again;
        bool probe; /* the link's own, see gate.h */
        amqp_bytes_t exchange, routing_key, body;
        amqp_bytes_t raw;                   /* property list as given, instead of `properties` */
        amqp_basic_properties_t properties; /* has room for one more header */
};

/* A mandatory message that the broker sent back. */
struct returned {
        amqp_bytes_t exchange, routing_key, message_id, body;
};

/* login: the user_id of a message that brings no property list. */
struct outgoing *outgoing_create(const struct message *m, const char *login,
                                 struct err *e) MUST_CHECK;
/* Says, once, that it may have been published before. */
void outgoing_mark_again(struct outgoing *o);
/* A return carries no number; this may be the message that it sends back. */
bool outgoing_looks_like(const struct outgoing *o, const struct returned *r);

#endif
