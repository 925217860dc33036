/* SPDX-License-Identifier: Apache-2.0
 *
 * input.h: what a client sends with a request, for the files of common/http.
 */
#ifndef WARREN_HTTP_INPUT_H
#define WARREN_HTTP_INPUT_H

#include "common/http/request.h"

/* Reads a route's body within `limit` ms; false when the request was refused (and answered). */
bool input_read_body(struct http_request *r, struct watch *w, size_t body_max, msec limit);
/* Takes what is left of a refused body off the connection, bounded in bytes and time. */
void input_drain_body(struct http_request *r, struct watch *w, msec limit);

#endif
