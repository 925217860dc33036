/* SPDX-License-Identifier: Apache-2.0
 *
 * headers.c: headers for browsers, and what a kind of answer adds.
 */
#include "gateway/headers.h"

#include "gateway/core.h"
#include "gateway/cors.h"
#include "gateway/handlers.h"
#include "gateway/origin.h"

/* The API's answers are no pages: nothing may load, frame or embed them. */
const char headers_security[] =
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'\r\n"
        "X-Frame-Options: DENY\r\n"
        "Referrer-Policy: no-referrer\r\n"
        "Cross-Origin-Resource-Policy: same-origin\r\n"
        "Cross-Origin-Opener-Policy: same-origin\r\n";

void headers_decorate(void *owner, struct http_request *r)
{
        const struct gateway *g = owner;

        cors_decorate(g->settings->cors_origins, r);
        if (http_method(r)[0] != '\0' && origin_is_tls(g->settings->trusted_proxies, r))
                http_add_header(r, "Strict-Transport-Security", "max-age=31536000");
        submit_decorate(owner, r);
}
