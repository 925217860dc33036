/* SPDX-License-Identifier: Apache-2.0
 *
 * submission.h: parses the body of POST /jobs into a job, or says why not and where. Pure. The
 * payload is a slice of the body: its bytes are never rewritten.
 */
#pragma once

#include "common/base/json_scan.h"
#include "common/model/job.h"

struct submission_rules {
        const char *tenant; /* the key's own; "": any, and the body must name one */
        msec now;
        size_t payload_max;
        const char *key; /* of the header Idempotency-Key; NULL: not given */
};

struct submission_refusal {
        int status;    /* 400 (not strict JSON), 403, 413 or 422 */
        bool too_late; /* only its times are wrong, which may be because time has passed: the job is
                        * filled all the same */
        struct scan_fault fault;
};

/* Fills the job except id, traceparent and app_id; the payload borrows from body. key_hash is set
 * when there is a key. */
int submission_parse(struct bytes body, const struct submission_rules *rules, struct job *job,
                     struct submission_refusal *why) MUST_CHECK;
