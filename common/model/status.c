/* SPDX-License-Identifier: Apache-2.0
 *
 * status.c: the names of statuses.
 */
#include "common/model/status.h"

static const char *const status_names[STATUS_COUNT] = {
        [STATUS_SCHEDULED] = "scheduled", [STATUS_PENDING] = "pending",
        [STATUS_RUNNING] = "running",     [STATUS_FAILED] = "failed",
        [STATUS_COMPLETED] = "completed", [STATUS_DEAD] = "dead",
        [STATUS_CANCELLED] = "cancelled",
};

const char *status_name(enum status s)
{
        return status_names[s];
}

bool status_parse(struct bytes name, enum status *out)
{
        return bytes_find(name, status_names, STATUS_COUNT, (unsigned *)out);
}

bool status_is_ended(enum status s)
{
        return s == STATUS_COMPLETED || s == STATUS_DEAD || s == STATUS_CANCELLED;
}
