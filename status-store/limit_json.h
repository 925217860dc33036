/* SPDX-License-Identifier: Apache-2.0
 *
 * limit_json.h: limits in bodies and answers: "unlimited", a number, "10/1m".
 */
#pragma once

#include <jansson.h>

#include "common/base/json_read.h"
#include "common/model/limit_queue.h"
#include "common/model/record.h"

/* A number within the row's bounds, or "unlimited". Into an int64_t. */
json_member_fn limit_read;
/* For the row of max_running. */
#define LIMIT_RUNNING \
        .least = 1, .most = LIMIT_TOKENS_MAX, .form = "must be 1 to 10000, or \"unlimited\""

/* Reads "<count>/<duration>" or "unlimited" (count RECORD_UNLIMITED); 1 ms or longer. False: it has
 * another form. */
bool limit_read_rate(struct scan_value value, int64_t *count, msec *per);
/* For the row of a rate's member. */
#define LIMIT_RATE_FORM \
        "must be \"unlimited\" or \"<count>/<duration>\", like \"10/1m\", with d, h, m, s or ms"

/* New references. */
json_t *limit_json(int64_t limit);
json_t *limit_version_json(int64_t limit, int64_t version); /* null: no limit, or no tokens yet */
json_t *limit_rate_json(int64_t count, msec per);
json_t *limit_time_json(msec at); /* 0: null */
