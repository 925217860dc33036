/* SPDX-License-Identifier: Apache-2.0
 *
 * key_body.h: reads request bodies about API keys, and writes keys as JSON.
 */
#pragma once

#include <jansson.h>

#include "common/base/json_scan.h"
#include "status-store/registry/registry_keys.h"

/* Each: 0, or the HTTP status to refuse with; then fault is filled. */

/* {"scopes": [...], "expires": time, "name": text}, all optional. */
int key_body_read(struct bytes body, struct key *k, struct scan_fault *fault) MUST_CHECK;
/* {"overlap": duration, "expires": time}, both optional. */
struct key_rotation {
        msec overlap; /* KEY_OVERLAP when it is not given */
        msec expires; /* of the new key; 0: never */
};
int key_rotation_read(struct bytes body, struct key_rotation *out,
                      struct scan_fault *fault) MUST_CHECK;
/* {"used": [{"id", "at", "from"}]}, at most KEYS_USED_MAX. *uses is the caller's to free, and has
 * room for `more` behind them. */
int key_uses_read(struct bytes body, size_t more, struct key_use **uses, size_t *count,
                  struct scan_fault *fault) MUST_CHECK;

#define KEY_OVERLAP ((msec)MSEC_DAY)
enum { KEYS_USED_MAX = 4096 };

/* The members that are shown of a key. A new reference. */
json_t *key_json(const struct key *k);
