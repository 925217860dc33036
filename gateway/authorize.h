/* SPDX-License-Identifier: Apache-2.0
 *
 * authorize.h: lets requests in that carry a key with the scopes their route wants.
 */
#ifndef WARREN_GATEWAY_AUTHORIZE_H
#define WARREN_GATEWAY_AUTHORIZE_H

#include "gateway/core.h"

/* As http_server_config wants it; owner is the gateway. Leaves a struct caller with the request. A
 * route without scope is open to everybody. */
bool authorize_request(void *owner, struct http_request *r, const struct http_route *route);
/* Who asks, on a route with a scope. */
const struct caller *authorized_caller(const struct http_request *r);

#endif
