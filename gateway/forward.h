/* SPDX-License-Identifier: Apache-2.0
 *
 * forward.h: requests that a service behind the gateway answers. The public path becomes the
 * internal one, the key becomes `tenant=` and the internal token; the answer passes as it is.
 */
#ifndef WARREN_GATEWAY_FORWARD_H
#define WARREN_GATEWAY_FORWARD_H

#include "common/http/server.h"

/* Handlers; owner is the gateway. Tenants and keys are the status-store's too: the primary's. */
void forward_to_status_store(void *owner, struct http_request *r);
/* GET /jobs/{id}: may carry ?wait. */
void forward_job(void *owner, struct http_request *r);
void forward_to_dlx_monitor(void *owner, struct http_request *r);

#endif
