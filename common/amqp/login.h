/* SPDX-License-Identifier: Apache-2.0
 *
 * login.h: from an address to a connection that is logged in, with TLS when the URL says so. The
 * link's thread only; blocks for some 10 s at most.
 */
#ifndef WARREN_AMQP_LOGIN_H
#define WARREN_AMQP_LOGIN_H

#include "common/amqp/address.h"
#include "common/amqp/wire.h"
#include "common/base/clock.h"

enum { CHANNEL_MAX = 6 /* asked for of the broker */ };

/* Everything is borrowed. */
struct login {
        const char *login, *password;
        const char *name;    /* connection name in the console */
        const char *ca_file; /* amqps: PEM; NULL: the system's */
        msec heartbeat;
        /* Told of the socket before anything can hang on it, and of -1 before it is closed again.
         * false: give up. */
        bool (*opened)(void *owner, int fd);
        void *owner;
};

/* NULL: it could not be made; the error names the broker. amqp_destroy_connection frees it.
 * frame_max: of what is sent. Larger frames are read: a broker does not split a message's headers,
 * and adds its own to those with which a publisher has filled a frame. rabbitmq-c takes the size
 * that it reads for that of what it sends, so amqp_basic_publish must not be used. */
amqp_connection_state_t login_open(const struct address *a, const struct login *l,
                                   size_t *frame_max, struct err *e) MUST_CHECK;

#endif
