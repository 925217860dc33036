/* SPDX-License-Identifier: Apache-2.0
 *
 * websockets.h: a pool of WebSockets (websocket.h), for the files of common/http.
 */
#ifndef WARREN_HTTP_WEBSOCKETS_H
#define WARREN_HTTP_WEBSOCKETS_H

#include "common/http/connection.h"
#include "common/http/websocket.h"

/* A place for one more; false: there is none, or the pool ends. Any thread. */
bool websockets_reserve(struct websockets *all) MUST_CHECK;
void websockets_give_back(struct websockets *all);
/* In a place that was reserved. Takes the socket, and the answer (101) that is sent to it first. */
void websockets_add(struct websockets *all, struct taken_socket *socket, struct buffer *answer,
                    const struct websocket_events *on, void *user);
bool websockets_allow_origin(const struct websockets *all, const char *origin, const char *host);
/* Tells every client that the server goes (1001), and returns when all are gone, after two seconds
 * at most. None is added any more. */
void websockets_end(struct websockets *all);

#endif
