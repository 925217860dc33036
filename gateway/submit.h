/* SPDX-License-Identifier: Apache-2.0
 *
 * submit.h: POST /api/v1/jobs.
 */
#ifndef WARREN_GATEWAY_SUBMIT_H
#define WARREN_GATEWAY_SUBMIT_H

#include "common/http/server.h"

/* owner is the gateway. */
void submit_handle(void *owner, struct http_request *r);
/* For http_server_config.decorate: adds the RateLimit headers to an answer whose tenant is known.
 */
void submit_decorate(void *owner, struct http_request *r);

#endif
