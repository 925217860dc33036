/* SPDX-License-Identifier: Apache-2.0
 *
 * key_list.h: the keys of the registry as JSON, with their last uses.
 */
#pragma once

#include <jansson.h>

#include "status-store/key_uses.h"

/* The keys of a tenant, or all (NULL), without those of deleted tenants. A new reference to an
 * array; NULL: failed. */
json_t *key_list(struct registry *r, struct key_uses *uses, const char *tenant,
                 struct err *e) MUST_CHECK;
