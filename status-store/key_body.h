/* SPDX-License-Identifier: Apache-2.0
 *
 * key_body.h: reads request bodies about API keys, and writes keys as JSON.
 */
#pragma once

#include <jansson.h>

#include "common/base/json_scan.h"
#include "status-store/registry.h"

/* {"scopes": [...], "expires": time}, both optional. 0, or the HTTP status to
 * refuse with; then fault is filled. */
int key_body_read(struct bytes body, unsigned *scopes, msec *expires,
                  struct scan_fault *fault) MUST_CHECK;

/* A new reference. */
json_t *key_json(const struct key *k);
