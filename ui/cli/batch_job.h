/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_job.h: one job of a batch: its key, and a problem's place in the user's input. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/json_scan.h"

enum { BATCH_KEY_SIZE = 236 }; /* a key has 255 bytes at most; "/<number>" takes up to 20 */

/* What was written into a job's text to give it a key. */
struct batch_key {
        size_t at;               /* byte of the job's text */
        size_t replaced, length; /* bytes of the text that it replaces; bytes written */
};

/* Where a job's text is. Lines and columns count from 1. */
struct batch_place {
        struct bytes text;               /* as the user wrote it; absent: too large to be kept */
        bool in_array;                   /* of one JSON array, not of JSON lines */
        uint64_t number;                 /* its line, or its place in the array, from 1 */
        unsigned line, column;           /* in the input */
        uint64_t end;                    /* bytes of the input up to its end */
        unsigned sent_line, sent_column; /* in the request */
        struct batch_key key;
};

/* Adds the job's text with the member idempotency_key = "<base>/<number>". A job that has a key of
 * its own, and text that is no JSON object, is added as it is. Else every byte of the text stays,
 * except a null in place of the key. */
void batch_job_add(struct bytes text, const char *base, uint64_t number, struct buffer *out,
                   struct batch_key *key);
/* Adds the problem of a job with places of the input instead of places of the request: pointers
 * without the job's index, lines and columns of the input. */
void batch_job_problem(const struct batch_place *p, struct scan_value problem, struct buffer *out);
/* Adds {"line", "problem", "job"} of a refused job and a line break; of an array "number"
 * too. The job as the user wrote it; when that is no JSON, "text" with it instead. */
void batch_job_refused(const struct batch_place *p, struct bytes problem, struct buffer *out);
/* "" when base may begin a key: 1 to 235 printable ASCII characters. Else what it must be. */
const char *batch_key_fault(const char *base);
