/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.h: the inside of common/http: what is known of a connection from one request to the
 * next. On the thread that serves it.
 */
#ifndef WARREN_HTTP_CONNECTION_H
#define WARREN_HTTP_CONNECTION_H

#include <civetweb.h>
#include <stdbool.h>

/* civetweb's callbacks. 1.15 has forgotten the data when it calls the one for a closed connection.
 */
int connection_opened(const struct mg_connection *c, void **data);
void connection_closing(const struct mg_connection *c);

/* Its socket; -1 when it is not found. */
int connection_descriptor(struct mg_connection *c);

/* A request begins. */
void connection_resumed(struct mg_connection *c);
/* Nothing came for a while after an answer. */
void connection_idle(struct mg_connection *c);
/* The client has sent requests before it had the answers of those before: they can be in civetweb's
 * buffer, and then nobody sees them at the socket. */
bool connection_is_pipelined(struct mg_connection *c);

#endif
