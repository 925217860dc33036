/* SPDX-License-Identifier: Apache-2.0
 *
 * authorize.h: checks that a request carries a key with the scope that its route needs.
 */
#ifndef WARREN_GATEWAY_AUTHORIZE_H
#define WARREN_GATEWAY_AUTHORIZE_H

#include "gateway/core.h"

/* For http_server_config.authorize; owner is the gateway. Attaches a struct caller to the request.
 * A route without a scope needs no key. */
bool authorize_request(void *owner, struct http_request *r, const struct http_route *route);
/* The caller that was attached, on a route with a scope. */
const struct caller *authorized_caller(const struct http_request *r);

#endif
