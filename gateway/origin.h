/* SPDX-License-Identifier: Apache-2.0
 *
 * origin.h: where a request comes from. Behind a proxy that is trusted (setting trusted_proxies),
 * the headers X-Forwarded-For and X-Forwarded-Proto say it; those of anybody else count for
 * nothing.
 */
#pragma once

#include "common/http/server.h"

enum { ORIGIN_SIZE = 46 }; /* an IPv4 or IPv6 address */

/* proxies: the setting. */

/* The client's address. False: the proxy's header has none, so that it is the proxy's. */
bool origin_address(const char *proxies, const struct http_request *r, char out[ORIGIN_SIZE]);
/* The client speaks TLS, to the proxy. */
bool origin_is_tls(const char *proxies, const struct http_request *r);

/* The rest is pure. */

/* Every word of the setting is an address, in the form that a peer's is compared in. */
int origin_check(const char *proxies, struct err *e) MUST_CHECK;
/* The last address in X-Forwarded-For, which the proxy itself has added, without its port. False:
 * it is none. */
bool origin_forwarded(const char *header, char out[ORIGIN_SIZE]);
/* What shares a count of failed logins: an IPv4 address, also in the form ::ffff:10.0.0.7, or an
 * IPv6 network of 64 bits, because a client has a whole one. */
void origin_network(const char *address, char out[ORIGIN_SIZE]);
