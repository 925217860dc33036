/* SPDX-License-Identifier: Apache-2.0
 *
 * job_json.h: a job and its attempts as docs/http.md shows them.
 */
#pragma once

#include "status-store/schema.h"

/* Writes the members of a job, without braces. A JSON payload is copied as it is; another becomes
 * payload_base64. */
void job_json_write(const struct stored_job *job, struct bytes payload, struct buffer *out);
/* Writes one attempt, with braces. */
void attempt_json_write(const struct attempt_row *a, const struct job_row *row, struct buffer *out);
