/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup_find.h: jobs by their id, its beginning, their trace id or their idempotency key.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/projection/schema.h"

enum {
        FIND_MATCHES_MAX = 20,
        FIND_TEXT_MAX = 255, /* bytes */
        FIND_DIGITS_MIN = 6, /* hexadecimal digits of the beginning of an id */
        FIND_MS = 1000,      /* of a scan */
};

/* What a text may be; it is borrowed. It may always be an idempotency key. */
struct find_text {
        const char *text;
        bool is_id, is_prefix;
        unsigned char low[ID_SIZE], high[ID_SIZE]; /* the ids that begin so; equal for an id */
        bool is_trace;
        char traceparent[JOB_TRACEPARENT_SIZE]; /* one with the trace id */
};

/* False: empty, or too long. */
bool find_text_read(const char *text, struct find_text *out);

/* Both fill `out`, which must be empty, with `"matches": […], "more": …, "complete": …`:
 * FIND_MATCHES_MAX at most, the newest first; more: there are others. tenant "*": any.
 * lookup_find_id returns 1; 0: there is none, out stays empty; -1. */
int lookup_find_id(struct reader *r, const char *tenant, const struct find_text *what,
                   struct buffer *out, struct err *e) MUST_CHECK;
/* By anything but a whole id. Reads all ids that begin so, then the digests of all jobs; after
 * FIND_MS it stops, and complete is false. */
int lookup_find_scan(struct reader *r, const char *tenant, const struct find_text *what,
                     struct buffer *out, struct err *e) MUST_CHECK;
