/* SPDX-License-Identifier: Apache-2.0
 *
 * forward.h: requests that the status-store answers together with the gateway.
 */
#pragma once

#include "common/http/handler.h"
#include "gateway/core.h"

struct forward_with {
        const char *query; /* more parameters: "&name=value", or NULL */
        /* Changes the body of a 200 before it is passed on; or NULL. */
        void (*edit)(struct gateway *g, struct buffer *body);
};

/* As forward_to_status_store (handlers.h). */
void forward_with(struct gateway *g, struct http_request *r, const struct forward_with *with);
