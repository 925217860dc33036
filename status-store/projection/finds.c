/* SPDX-License-Identifier: Apache-2.0
 *
 * finds.c: digests of trace ids and idempotency keys. They are stored: other ones need a step in
 * migrations.c.
 */
#include "status-store/projection/finds.h"

#include <string.h>

enum { TRACE_AT = 3, TRACE_LENGTH = 32 }; /* in 00-<trace id>-<span id>-01 */

uint64_t find_of_trace(const char *traceparent)
{
        if (strlen(traceparent) < TRACE_AT + TRACE_LENGTH)
                return 0;
        return bytes_hash(bytes_of(traceparent + TRACE_AT, TRACE_LENGTH));
}

uint64_t find_of_key(const char *key)
{
        return key[0] == '\0' ? 0 : bytes_hash(bytes_of_text(key));
}
