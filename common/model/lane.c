/* SPDX-License-Identifier: Apache-2.0
 *
 * lane.c: the names of lanes and priorities.
 */
#include "common/model/lane.h"

static const char *const names[LANE_COUNT] = {
        [LANE_LOW] = "low",           [LANE_MEDIUM] = "medium", [LANE_HIGH] = "high",
        [LANE_CRITICAL] = "critical", [LANE_LONG] = "long",
};

const char *priority_name(enum priority p)
{
        return names[p];
}

bool priority_parse(struct bytes name, enum priority *out)
{
        return bytes_find(name, names, PRIORITY_COUNT, (unsigned *)out);
}

const char *lane_name(enum lane lane)
{
        return names[lane];
}

bool lane_parse(struct bytes name, enum lane *out)
{
        return bytes_find(name, names, LANE_COUNT, (unsigned *)out);
}
