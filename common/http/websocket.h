/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket.h: a route's connection goes on as a WebSocket (RFC 6455; text messages, no
 * extensions). All checks of a request come before: framing, route, authorizer. All WebSockets of a
 * pool live on one thread of it: they hold none of a server's threads or seats, and have a limit of
 * their own.
 *
 *      pool = websockets_create(&config, &e);           before the server, which is given it
 *      in a handler:       websocket_upgrade(r, &events, user)
 *      on any thread:      websockets_send(pool, socket, text, &e)
 *      http_server_destroy(&server);                    ends them
 *      websockets_destroy(&pool);
 */
#ifndef WARREN_HTTP_WEBSOCKET_H
#define WARREN_HTTP_WEBSOCKET_H

#include <stdint.h>

#include "common/base/clock.h"
#include "common/http/handler.h"

struct websockets;

struct websockets_config {
        unsigned max;       /* at once; one more is answered 503. 0: 100 */
        size_t message_max; /* bytes of a client's message; over it: ended. 0: 64 KiB */
        size_t unsent_max;  /* bytes that wait for one client. 0: 1 MiB */
        /* A client that has said nothing for so long is pinged; one that has said or taken nothing
         * for twice as long is ended. 0: 20 s */
        msec silence_max;
        /* May a page of this origin connect? NULL: of the request's own Host only. Who sends no
         * Origin is no page, and may. On a server's thread. */
        bool (*allow_origin)(void *owner, const char *origin);
        void *owner;
};

/* On the pool's thread: they must not block. */
struct websocket_events {
        void (*opened)(void *user, uint64_t socket);
        /* A whole text message: UTF-8, borrowed for the call. */
        void (*message)(void *user, uint64_t socket, struct bytes text);
        /* The last: whoever ended it. */
        void (*closed)(void *user, uint64_t socket);
};

struct websockets *websockets_create(const struct websockets_config *c, struct err *e) MUST_CHECK;
/* Ends it as http_server_destroy does, if there was none. */
void websockets_destroy(struct websockets **all);

/* In a handler of a GET route, instead of an answer. True: 101 was sent, `opened` follows, and user
 * is the socket's until `closed`, as are the events. False: the request was refused (400, 403, 426,
 * 503) and answered. */
bool websocket_upgrade(struct http_request *r, const struct websocket_events *on,
                       void *user) MUST_CHECK;

/* Any thread, also from within the events; never blocks. The text is copied; it must be UTF-8.
 * ERR_NOT_FOUND: the socket is gone or is closing. ERR_FULL: too much waits for this client
 * already; nothing of the text is sent, and later texts may be. */
int websockets_send(struct websockets *all, uint64_t socket, struct bytes text,
                    struct err *e) MUST_CHECK;
/* Any thread. Ends it with a close code (1000: done; 4000 to 4999 are the program's) after what was
 * sent before; `closed` follows within two seconds. */
void websockets_close(struct websockets *all, uint64_t socket, unsigned code);

#endif
