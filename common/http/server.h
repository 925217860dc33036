/* SPDX-License-Identifier: Apache-2.0
 *
 * server.h: an HTTP/1.1 JSON server on civetweb: a table of routes, limits of size and time for
 * bodies, strict framing, problem+json for every refusal, one write per answer.
 */
#pragma once

#include "common/http/handler.h"

struct http_server;

/* Borrows routes, owner, files and websockets until it is destroyed. Listens when it returns. */
struct http_server *http_server_create(const struct http_server_config *c,
                                       struct err *e) MUST_CHECK;
/* Refuses new requests (503), waits for the answers of running ones, closes the port. Clients that
 * have not sent their body or read their answer within 5 s are cut off. So it takes that
 * long at most, plus the time of running handlers and a few seconds. */
void http_server_destroy(struct http_server **s);
uint16_t http_server_port(const struct http_server *s);
