/* SPDX-License-Identifier: Apache-2.0
 *
 * tenant_body.h: reads request bodies about tenants and keys, and writes both as JSON.
 */
#pragma once

#include <jansson.h>

#include "common/base/json_scan.h"
#include "status-store/registry.h"

enum body_kind { BODY_NEW_TENANT, BODY_TENANT_CHANGE };

/* Changes *t as the body says. 0, or the HTTP status to refuse with; then fault is filled. */
int tenant_body_read(struct bytes body, enum body_kind kind, struct tenant *t,
                     struct scan_fault *fault) MUST_CHECK;
/* {"scopes": [...], "expires": time}, both optional. Returns as tenant_body_read. */
int key_body_read(struct bytes body, unsigned *scopes, msec *expires,
                  struct scan_fault *fault) MUST_CHECK;

/* New references. */
json_t *tenant_json(const struct tenant *t);
json_t *key_json(const struct key *k);
