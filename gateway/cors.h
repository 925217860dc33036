/* SPDX-License-Identifier: Apache-2.0
 *
 * cors.h: Cross-Origin Resource Sharing (CORS) with an exact list of origins, setting cors_origins.
 * Credentials are never allowed: a page of another origin sends its key as a header.
 */
#pragma once

#include "common/http/server.h"

/* The list can be used. ERR_INVALID: an entry is no origin: "*", "null", or with a path. Pure. */
int cors_check(const char *origins, struct err *e) MUST_CHECK;

/* Adds the headers for the request's origin, if it is in the list. */
void cors_decorate(const char *origins, struct http_request *r);
/* For http_server_config.preflight: answers the preflight of an origin in the list. owner: the
 * gateway. */
bool cors_preflight(void *owner, struct http_request *r, const char *allow);
