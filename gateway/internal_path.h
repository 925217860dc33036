/* SPDX-License-Identifier: Apache-2.0
 *
 * internal_path.h: the internal path and query for a public request.
 */
#ifndef WARREN_GATEWAY_INTERNAL_PATH_H
#define WARREN_GATEWAY_INTERNAL_PATH_H

#include <stdbool.h>

#include "common/http/server.h"

/* /internal/v1/…?tenant=…&…: made anew from what was decoded, so that nothing that two readers
 * could understand in two ways gets through. A `tenant` of the query is left out. */
void internal_path_write(const struct http_request *r, const char *tenant, struct buffer *out);

/* {id} a UUID, {t} a tenant's name, {key} a key's id. */
bool internal_path_params_are_valid(const struct http_request *r);

#endif
