/* SPDX-License-Identifier: Apache-2.0
 *
 * server.h: an HTTP/1.1 JSON server on civetweb: a table of routes, bounded and deadlined bodies,
 * strict framing, problem+json for every refusal, one write per answer.
 */
#ifndef WARREN_HTTP_SERVER_H
#define WARREN_HTTP_SERVER_H

#include "common/http/handler.h"
#include "common/http/server_config.h"

struct http_server;

/* Routes, owner, files and websockets must outlive the server. Listens when it returns. */
struct http_server *http_server_create(const struct http_server_config *c,
                                       struct err *e) MUST_CHECK;
/* Lets nothing in any more (503), waits until who was let in is answered, closes the port. Whatever
 * clients do, that takes no longer than `stop_deadline`, but for handlers that are at work, and a
 * few seconds: clients that have not sent their body or taken their answer by then are cut off. */
void http_server_destroy(struct http_server **s);
uint16_t http_server_port(const struct http_server *s);

#endif
