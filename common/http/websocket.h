/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket.h: upgrades a route's connection to a WebSocket (RFC 6455; text messages, no
 * extensions), after all checks of the request: framing, route, authorizer. One thread of the pool
 * serves all its WebSockets: they hold none of a server's threads or seats, and have their own
 * limit.
 *
 *      pool = websockets_create(&config, &e);           before the server, whose config has it
 *      in a handler:       websocket_upgrade(r, &events, user, NULL)
 *      on any thread:      websockets_send(pool, socket, text, &e)
 *      http_server_destroy(&server);                    ends them
 *      websockets_destroy(&pool);
 */
#pragma once

#include <stdint.h>

#include "common/base/clock.h"
#include "common/http/handler.h"

struct websockets;

struct websockets_config {
        unsigned max; /* WebSockets at once; more are refused with 503. 0: 100 */
        /* A client that sends nothing for so long is pinged. One that sends nothing, or takes
         * nothing that is sent, for twice as long is closed with 1008. 0: 20 s */
        msec silence_max;
        size_t unsent_max; /* bytes that wait for a client; 0: 1 MiB */
        size_t kernel_max; /* and so many in the kernel (SO_SNDBUF); 0: as it chooses, some MiB */
};

/* Called on the pool's thread: they must not block. */
struct websocket_events {
        void (*opened)(void *user, uint64_t socket);
        /* A whole text message: UTF-8, borrowed for the call. A larger one than 64 KiB ends the
         * WebSocket. */
        void (*message)(void *user, uint64_t socket, struct bytes text);
        /* The last call, whichever side has ended it. */
        void (*closed)(void *user, uint64_t socket);
};

struct websockets *websockets_create(const struct websockets_config *c, struct err *e) MUST_CHECK;
/* Ends all WebSockets first, unless http_server_destroy did. */
void websockets_destroy(struct websockets **all);

/* Call in a handler of a GET route, instead of answering. True: 101 is sent and `opened` follows;
 * `on` and `user` must live until `closed`. False: the request was refused and answered (400, 403,
 * 426, 503). Pages of the request's Host may connect, by http or https; origin: NULL, or that of
 * others that may, as in the header Origin. */
bool websocket_upgrade(struct http_request *r, const struct websocket_events *on, void *user,
                       const char *origin) MUST_CHECK;

/* Any thread, also in the events; never blocks. Copies the text, which must be UTF-8.
 * ERR_NOT_FOUND: the socket is closed or closing. ERR_FULL: with it over unsent_max would wait; it
 * is not sent, later ones may be. */
int websockets_send(struct websockets *all, uint64_t socket, struct bytes text,
                    struct err *e) MUST_CHECK;
/* Any thread. Whether a text of that length would be taken now. */
bool websockets_has_room(struct websockets *all, uint64_t socket, size_t length) MUST_CHECK;
/* Any thread. Sends what was buffered, then a close code (1000: normal; 4000 to 4999: the
 * program's own); `closed` follows within 2 s. */
void websockets_close(struct websockets *all, uint64_t socket, unsigned code);
/* The same, but drops what was buffered, except for a message of which a part was sent. So the code
 * reaches a client that is too slow, and one that may not have the rest gets no more. `closed`
 * follows within 6 s. */
void websockets_abandon(struct websockets *all, uint64_t socket, unsigned code);
