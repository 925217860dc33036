/* SPDX-License-Identifier: Apache-2.0
 *
 * login.h: connects to an address and logs in, with TLS when the URL says so. Link's thread only;
 * blocks for about 10 s at most.
 */
#pragma once

#include "common/amqp/link_settings.h"
#include "common/amqp/wire.h"

enum { CHANNEL_MAX = 7 /* requested of the broker */ };

/* Everything is borrowed. */
struct login {
        const struct link_settings *settings;
        /* Called with the socket before the login, which may hang, and with -1 before it is closed
         * after a failure. false: give up. */
        bool (*opened)(void *owner, int fd);
        void *owner;
};

/* NULL: failed; the error names the broker. Free it with amqp_destroy_connection. *frame_max: the
 * limit for frames to be sent. Larger frames are read: a broker does not split a message's headers,
 * and adds its own to headers that may fill a frame already. rabbitmq-c uses the read limit for
 * sending too, so do not use amqp_basic_publish. */
amqp_connection_state_t login_open(const struct address *a, const struct login *l,
                                   size_t *frame_max, struct err *e) MUST_CHECK;
