/* SPDX-License-Identifier: Apache-2.0
 *
 * limit_queue.h: the names of the queues that hold the tokens of a limit. Each change of a limit
 * has a version of its own, and so queues of its own. No tenant's or job's queue has such a name:
 * those begin with `jobs.`.
 */
#pragma once

#include <stdint.h>

#include "common/model/job.h"

enum limit_queue {
        LIMIT_TENANT_SLOTS, /* slots.<tenant>.<version> */
        LIMIT_TYPE_SLOTS,   /* slots-type.<type>.<version> */
        LIMIT_TYPE_RATE,    /* rates-type.<type>.<version>: tokens for the next starts */
        LIMIT_TYPE_COOLING, /* cooling-type.<type>.<version>: those of the last starts */
};

enum {
        LIMIT_TOKENS_MAX = 10000, /* in one queue; a limit is at most this */
        LIMIT_QUEUE_SIZE = sizeof("cooling-type..9223372036854775807") + JOB_TYPE_SIZE,
};

/* of: the tenant's or the type's name. */
void limit_queue_name(enum limit_queue kind, const char *of, int64_t version,
                      char out[LIMIT_QUEUE_SIZE]);
