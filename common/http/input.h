/* SPDX-License-Identifier: Apache-2.0
 *
 * input.h: reads the body of a request, for the files of common/http.
 */
#pragma once

#include "common/http/request.h"

/* Refuses a body that the route does not accept, before any of it is read. False: the request was
 * refused, and answered. */
bool input_accept_body(struct http_request *r, size_t body_max);
/* Reads the body within the body deadline. False: the request was refused, and answered. */
bool input_read_body(struct http_request *r, size_t body_max);
/* Reads and drops the rest of a refused body: at most 32 MiB, within `limit` ms. */
void input_drain_body(struct http_request *r, msec limit);
