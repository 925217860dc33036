/* SPDX-License-Identifier: Apache-2.0
 *
 * checks.c: the table of all checks.
 */
#include "common/doctor/checks.h"

#include <string.h>

/* clang-format off */
const struct check_kind check_kinds[CHECK_COUNT] = {
        [CHECK_GATEWAY] = {"gateway", SEVERITY_DOWN, LAYER_GATEWAY},
        [CHECK_PUBLISHING] = {"publishing", SEVERITY_DOWN, LAYER_GATEWAY},
        [CHECK_CONTROL] = {"control", SEVERITY_DEGRADED, LAYER_GATEWAY},
        [CHECK_KEY] = {"key", SEVERITY_DEGRADED, LAYER_CALLER},
        [CHECK_STATUS_STORE] = {"status-store", SEVERITY_DOWN, LAYER_GATEWAY},
        [CHECK_PROJECTION] = {"projection", SEVERITY_DEGRADED, LAYER_WORK},
        [CHECK_HANDLERS] = {"handlers", SEVERITY_DEGRADED, LAYER_WORK},
        [CHECK_WORKERS] = {"workers", SEVERITY_DOWN, LAYER_WORK},
        [CHECK_LOST_WORKERS] = {"lost workers", SEVERITY_DEGRADED, LAYER_WORK},
        [CHECK_PROVISIONING] = {"provisioning", SEVERITY_DEGRADED, LAYER_WORK},
        [CHECK_PAUSES] = {"pauses", SEVERITY_DEGRADED, LAYER_BROKER},
        [CHECK_DLX_MONITOR] = {"dlx-monitor", SEVERITY_DEGRADED, LAYER_GATEWAY},
        [CHECK_ARCHIVE] = {"archive", SEVERITY_DEGRADED, LAYER_ARCHIVE},
        [CHECK_LETTERS] = {"letters", SEVERITY_DEGRADED, LAYER_ARCHIVE},
        [CHECK_BROKER] = {"broker", SEVERITY_DOWN, LAYER_BROKER},
        [CHECK_NODE] = {"node", SEVERITY_DEGRADED, LAYER_BROKER},
        [CHECK_BROKER_VERSION] = {"broker version", SEVERITY_DEGRADED, LAYER_BROKER},
        [CHECK_TOPOLOGY] = {"topology", SEVERITY_DEGRADED, LAYER_BROKER},
        [CHECK_CONSUMERS] = {"consumers", SEVERITY_DEGRADED, LAYER_BROKER},
        [CHECK_STORE_READS] = {"status-store reads", SEVERITY_DEGRADED, LAYER_BROKER},
        [CHECK_MONITOR_READS] = {"dlx-monitor reads", SEVERITY_DEGRADED, LAYER_BROKER},
        [CHECK_PARKED] = {"parked jobs", SEVERITY_DEGRADED, LAYER_BROKER},
        [CHECK_LIMITS] = {"limits", SEVERITY_DEGRADED, LAYER_BROKER},
        [CHECK_UNKNOWN] = {"", SEVERITY_DEGRADED, LAYER_CALLER},
};
/* clang-format on */

enum check check_parse(struct bytes name)
{
        const char *node = check_kinds[CHECK_NODE].name;
        size_t length = strlen(node);

        for (int i = 0; i < CHECK_UNKNOWN; i++)
                if (bytes_equal_text(name, check_kinds[i].name))
                        return (enum check)i;
        if (name.length > length && memcmp(name.data, node, length) == 0 &&
            name.data[length] == ' ')
                return CHECK_NODE;
        return CHECK_UNKNOWN;
}

const char *severity_name(enum severity s)
{
        switch (s) {
        case SEVERITY_DEGRADED:
                return "degraded";
        case SEVERITY_DOWN:
                return "down";
        }
        return NULL;
}
