/* SPDX-License-Identifier: Apache-2.0
 *
 * job_json.h: a job and its attempts as docs/http.md shows them.
 */
#pragma once

#include "common/base/json_mask.h"
#include "status-store/projection/schema.h"

/* What of a job is written. Starts as {0}: all. */
struct job_view {
        uint32_t members; /* bits of the table in job_json.c */
        /* Of payload and result; their number is a member `masked`, unless it is 0. A payload that
         * is no JSON counts as one, and so does an error that quotes it. NULL, or without words:
         * nothing is masked. */
        const struct mask_words *mask;
};
/* False: a job has no such member. */
bool job_view_add(struct job_view *view, struct bytes name);
bool job_view_has_payload(const struct job_view *view);

/* Writes the members of a job, without braces. A JSON payload is copied as it is; another becomes
 * payload_base64. */
void job_json_write(const struct stored_job *job, struct bytes payload, const struct job_view *view,
                    struct buffer *out);
/* Whether the payload that the facts came with is JSON. An empty one counts as such. */
bool job_payload_is_json(const struct job_facts *facts, struct bytes payload);
/* The error says where the message is wrong, and quotes it there. */
bool job_error_quotes_payload(const struct job_row *row);
/* Writes one attempt, with braces. */
void attempt_json_write(const struct attempt_row *a, const struct job_row *row, struct buffer *out);
