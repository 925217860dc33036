/* SPDX-License-Identifier: Apache-2.0
 *
 * trace.c: taking over or beginning a trace.
 */
#include "common/http/trace.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/uuid.h"
#include "common/model/job.h"

void trace_continue(const char *given, char out[TRACEPARENT_SIZE])
{
        if (given != NULL && traceparent_is_valid(bytes_of_text(given))) {
                memcpy(out, given, TRACEPARENT_SIZE);
                return;
        }

        uint64_t part[3] = {0};
        random_fill(part, sizeof(part));
        part[2] |= 1; /* an id of zeros only is no id */
        part[0] |= 1;
        snprintf(out, TRACEPARENT_SIZE, "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01",
                 part[0], part[1], part[2]);
}

void trace_id(const char *traceparent, char out[TRACE_ID_SIZE])
{
        memcpy(out, traceparent + 3, TRACE_ID_SIZE - 1);
        out[TRACE_ID_SIZE - 1] = '\0';
}
