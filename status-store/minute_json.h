/* SPDX-License-Identifier: Apache-2.0
 *
 * minute_json.h: what was counted in some time, as JSON.
 */
#pragma once

#include <jansson.h>

#include "status-store/projection/tally.h"

/* {"p50", "p95", "p99"}; null when nothing was counted. New reference. */
json_t *percentiles_json(const struct histogram *h);
/* Adds the counts, and percentiles of each time. */
void minute_json(const struct minute_counts *m, json_t *object);
