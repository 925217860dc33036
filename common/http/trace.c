/* SPDX-License-Identifier: Apache-2.0
 *
 * trace.c: continues or begins a trace.
 */
#include "common/http/trace.h"

#include <stddef.h>
#include <string.h>

#include "common/base/uuid.h"
#include "common/model/job.h"

static char *add_hex(char *to, const unsigned char *bytes, size_t count)
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < count; i++) {
                *to++ = digits[bytes[i] >> 4];
                *to++ = digits[bytes[i] & 15];
        }
        return to;
}

void trace_continue(const char *given, char out[TRACEPARENT_SIZE])
{
        enum { TRACE_BYTES = 16, SPAN_BYTES = 8 };
        unsigned char random[TRACE_BYTES + SPAN_BYTES];

        if (given != NULL && traceparent_is_valid(bytes_of_text(given))) {
                memcpy(out, given, TRACEPARENT_SIZE);
                return;
        }
        random_fill(random, sizeof(random));
        /* An id must not be all zeros. */
        random[TRACE_BYTES - 1] |= 1;
        random[TRACE_BYTES + SPAN_BYTES - 1] |= 1;
        out[0] = out[1] = '0';
        out[2] = '-';
        char *at = add_hex(out + 3, random, TRACE_BYTES);
        *at++ = '-';
        at = add_hex(at, random + TRACE_BYTES, SPAN_BYTES);
        memcpy(at, "-01", sizeof("-01"));
}

void trace_id(const char *traceparent, char out[TRACE_ID_SIZE])
{
        memcpy(out, traceparent + 3, TRACE_ID_SIZE - 1);
        out[TRACE_ID_SIZE - 1] = '\0';
}
