/* SPDX-License-Identifier: Apache-2.0
 *
 * websockets.h: a pool of WebSockets (websocket.h), for the files of common/http.
 */
#pragma once

#include "common/http/connection.h"
#include "common/http/websocket.h"

/* Reserves a place for a WebSocket. False: there is none, or the pool ends. Any thread. */
bool websockets_reserve(struct websockets *all) MUST_CHECK;
void websockets_give_back(struct websockets *all);
/* Uses a reserved place. Takes the socket, and the answer (101) to be sent first. */
void websockets_add(struct websockets *all, struct known_socket *socket, struct buffer *answer,
                    const struct websocket_events *on, void *user);
/* Closes every WebSocket with 1001 (going away) and waits until all have ended, 2 s at most. No
 * place can be reserved any more. */
void websockets_end(struct websockets *all);
