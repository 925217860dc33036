/* SPDX-License-Identifier: Apache-2.0
 *
 * session_cookie.c: reads and sets the cookie.
 */
#include "gateway/session_cookie.h"

#include <inttypes.h>

#include "gateway/origin.h"

static const char *cookie_name(const struct gateway *g, const struct http_request *r)
{
        return origin_is_tls(g->settings->trusted_proxies, r) ? "__Host-warren" : "warren";
}

const char *session_cookie_read(const struct gateway *g, struct http_request *r, bool *several)
{
        return http_cookie(r, cookie_name(g, r), several);
}

void session_cookie_set(const struct gateway *g, struct http_request *r, const char *value,
                        msec lasts)
{
        http_add_header(r, "Set-Cookie",
                        "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%" PRId64 "%s",
                        cookie_name(g, r), value, lasts / MSEC_SECOND,
                        origin_is_tls(g->settings->trusted_proxies, r) ? "; Secure" : "");
}

void session_cookie_clear(const struct gateway *g, struct http_request *r)
{
        session_cookie_set(g, r, "", 0);
}
