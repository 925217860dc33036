/* SPDX-License-Identifier: Apache-2.0
 *
 * forward.h: requests that an internal service answers. The public path becomes the internal path;
 * `tenant=` and the internal token replace the key. The answer is passed on as it is.
 */
#ifndef WARREN_GATEWAY_FORWARD_H
#define WARREN_GATEWAY_FORWARD_H

#include "common/http/server.h"

/* Handlers; owner is the gateway. The primary status-store also answers for tenants and keys. */
void forward_to_status_store(void *owner, struct http_request *r);
/* GET /jobs/{id}, with ?wait. */
void forward_job(void *owner, struct http_request *r);
void forward_to_dlx_monitor(void *owner, struct http_request *r);

#endif
