/* SPDX-License-Identifier: Apache-2.0
 *
 * lane.h: names of lanes (the queues of a tenant) and priorities (chosen by the submitter).
 */
#pragma once

#include <stdbool.h>

#include "common/base/bytes.h"

enum priority { PRIORITY_LOW, PRIORITY_MEDIUM, PRIORITY_HIGH, PRIORITY_CRITICAL };
enum { PRIORITY_COUNT = 4 };

/* The first four are the priorities' lanes, with their values. */
enum lane { LANE_LOW, LANE_MEDIUM, LANE_HIGH, LANE_CRITICAL, LANE_LONG };
enum { LANE_COUNT = 5 };

const char *priority_name(enum priority p);
bool priority_parse(struct bytes name, enum priority *out);
const char *lane_name(enum lane lane);
bool lane_parse(struct bytes name, enum lane *out);
