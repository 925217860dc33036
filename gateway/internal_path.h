/* SPDX-License-Identifier: Apache-2.0
 *
 * internal_path.h: the internal path and query for a public request.
 */
#ifndef WARREN_GATEWAY_INTERNAL_PATH_H
#define WARREN_GATEWAY_INTERNAL_PATH_H

#include <stdbool.h>

#include "common/http/server.h"

/* Writes /internal/v1/…?tenant=…&…, encoded anew from the decoded request, so that gateway and
 * service cannot read it in two ways. The query's own `tenant` is left out. */
void internal_path_write(const struct http_request *r, const char *tenant, struct buffer *out);

/* True when {id} is a UUID, {t} a tenant's name, {key} the id of a key. */
bool internal_path_params_are_valid(const struct http_request *r);

#endif
