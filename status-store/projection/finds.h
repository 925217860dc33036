/* SPDX-License-Identifier: Apache-2.0
 *
 * finds.h: the digests in table `finds`, by which a job is found that is named by its trace id or
 * its idempotency key. Whoever finds a row by a digest compares the job's text.
 */
#pragma once

#include "common/base/bytes.h"

/* A row's digests; 0: it has none. */
struct find {
        uint64_t trace, key;
};

/* Of the trace id in a traceparent. 0: it has none. */
uint64_t find_of_trace(const char *traceparent);
/* 0: there is none. */
uint64_t find_of_key(const char *key);
