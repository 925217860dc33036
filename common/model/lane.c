/* SPDX-License-Identifier: Apache-2.0
 *
 * lane.c: the names of lanes and priorities.
 */
#include "common/model/lane.h"

#include <stddef.h>

static const char *const names[LANE_COUNT] = {
        [LANE_LOW] = "low",           [LANE_MEDIUM] = "medium", [LANE_HIGH] = "high",
        [LANE_CRITICAL] = "critical", [LANE_LONG] = "long",
};

static bool find_name(struct bytes name, unsigned count, unsigned *out)
{
        for (unsigned i = 0; i < count; i++) {
                if (bytes_equal_text(name, names[i])) {
                        *out = i;
                        return true;
                }
        }
        return false;
}

const char *priority_name(enum priority p)
{
        return names[p];
}

bool priority_parse(struct bytes name, enum priority *out)
{
        unsigned at;

        if (!find_name(name, PRIORITY_COUNT, &at))
                return false;
        *out = (enum priority)at;
        return true;
}

const char *lane_name(enum lane lane)
{
        return names[lane];
}

bool lane_parse(struct bytes name, enum lane *out)
{
        unsigned at;

        if (!find_name(name, LANE_COUNT, &at))
                return false;
        *out = (enum lane)at;
        return true;
}
