/* SPDX-License-Identifier: Apache-2.0
 *
 * trace.c: continues or begins a trace.
 */
#include "common/http/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/uuid.h"
#include "common/model/job.h"

void trace_continue(const char *given, char out[TRACEPARENT_SIZE])
{
        uint64_t random[3]; /* two for the trace's id, one for the span's */

        if (given != NULL && traceparent_is_valid(bytes_of_text(given))) {
                memcpy(out, given, TRACEPARENT_SIZE);
                return;
        }
        random_fill(random, sizeof(random));
        /* An id must not be all zeros. */
        random[1] |= 1;
        random[2] |= 1;
        snprintf(out, TRACEPARENT_SIZE, "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01",
                 random[0], random[1], random[2]);
}

void trace_id(const char *traceparent, char out[TRACE_ID_SIZE])
{
        memcpy(out, traceparent + 3, TRACE_ID_SIZE - 1);
        out[TRACE_ID_SIZE - 1] = '\0';
}
