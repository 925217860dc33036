/* SPDX-License-Identifier: Apache-2.0
 *
 * operation_json.h: previews and operations as docs/http.md shows them.
 */
#pragma once

#include "common/base/json_scan.h"
#include "status-store/acts/acts.h"
#include "status-store/acts/operation_preview.h"
#include "status-store/acts/registry_operations.h"

/* Members of the operation, with braces. waiting: why it does not go on, or "". hides: the text of
 * its filter is not shown. */
void operation_json(const struct operation *o, const char *name, const char *waiting, bool hides,
                    struct buffer *out);
/* Appends {"preview": {…}}. */
void operation_preview_json(const struct operation *o, const struct operation_preview *p,
                            struct buffer *out);
/* Member "workers_behind". */
void operation_behind_json(const struct acts_behind *behind, struct buffer *out);
/* {"token": "…"}, or {}, or nothing: token is "". Returns 0, or 400, 422: fault says why. */
int operation_body_read(struct bytes body, char token[UUID_SIZE],
                        struct scan_fault *fault) MUST_CHECK;
