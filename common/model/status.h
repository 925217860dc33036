/* SPDX-License-Identifier: Apache-2.0
 *
 * status.h: the status of a job, as its row shows it.
 */
#pragma once

#include <stdbool.h>

#include "common/base/bytes.h"

enum status {
        STATUS_SCHEDULED,
        STATUS_PENDING,
        STATUS_RUNNING,
        STATUS_FAILED,
        STATUS_COMPLETED,
        STATUS_DEAD,
        STATUS_CANCELLED,
};
enum { STATUS_COUNT = 7 };

const char *status_name(enum status s);
bool status_parse(struct bytes name, enum status *out);
bool status_is_ended(enum status s); /* completed, dead, cancelled */
