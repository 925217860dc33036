/* SPDX-License-Identifier: Apache-2.0
 *
 * limit_queue.c: names of token queues.
 */
#include "common/model/limit_queue.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const prefixes[] = {
        [LIMIT_TENANT_SLOTS] = "slots",
        [LIMIT_TYPE_SLOTS] = "slots-type",
        [LIMIT_TYPE_RATE] = "rates-type",
        [LIMIT_TYPE_COOLING] = "cooling-type",
};

void limit_queue_name(enum limit_queue kind, const char *of, int64_t version,
                      char out[LIMIT_QUEUE_SIZE])
{
        snprintf(out, LIMIT_QUEUE_SIZE, "%s.%s.%" PRId64, prefixes[kind], of, version);
}
