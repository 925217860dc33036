/* SPDX-License-Identifier: Apache-2.0
 *
 * submit.h: POST /api/v1/jobs.
 */
#ifndef WARREN_GATEWAY_SUBMIT_H
#define WARREN_GATEWAY_SUBMIT_H

#include "common/http/server.h"

/* owner is the gateway. */
void submit_handle(void *owner, struct http_request *r);
/* Adds the RateLimit headers to every answer to it whose tenant is known, as http_server_config's
 * decorate. */
void submit_decorate(void *owner, struct http_request *r);

#endif
