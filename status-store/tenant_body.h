/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_body.h: reads request bodies about tenants, and writes tenants as JSON.
 */
#pragma once

#include <jansson.h>

#include "common/base/json_scan.h"
#include "status-store/registry/registry.h"

enum body_kind { BODY_NEW_TENANT, BODY_TENANT_CHANGE };

/* Changes *t as the body says. 0, or the HTTP status to refuse with; then fault is filled. */
int tenant_body_read(struct bytes body, enum body_kind kind, struct tenant *t,
                     struct scan_fault *fault) MUST_CHECK;
/* A new reference. */
json_t *tenant_json(const struct tenant *t);
