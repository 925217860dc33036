/* SPDX-License-Identifier: Apache-2.0
 *
 * type_body.h: reads the body of a change of a type's limits, and writes a type as JSON.
 */
#pragma once

#include <jansson.h>

#include "common/base/json_scan.h"
#include "status-store/registry/registry_types.h"

/* {"max_running": 5, "max_rate": "10/1s"}, both optional. Returns as tenant_body_read. */
int type_body_read(struct bytes body, struct type *t, struct scan_fault *fault) MUST_CHECK;
/* New reference. */
json_t *type_json(const struct type *t);
