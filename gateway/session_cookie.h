/* SPDX-License-Identifier: Apache-2.0
 *
 * session_cookie.h: the cookie that holds a session. Behind TLS its name is __Host-warren, and it
 * is Secure: a browser then takes it from this host over TLS only.
 */
#pragma once

#include "gateway/core.h"

/* Its value; NULL: there is none, or there are several. */
const char *session_cookie_read(const struct gateway *g, struct http_request *r, bool *several);
void session_cookie_set(const struct gateway *g, struct http_request *r, const char *value,
                        msec lasts);
/* The browser drops it. */
void session_cookie_clear(const struct gateway *g, struct http_request *r);
