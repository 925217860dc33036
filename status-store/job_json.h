/* SPDX-License-Identifier: Apache-2.0
 *
 * job_json.h: a job and its attempts as docs/http.md shows them.
 */
#ifndef WARREN_STATUS_STORE_JOB_JSON_H
#define WARREN_STATUS_STORE_JOB_JSON_H

#include "status-store/schema.h"

/* The members of a job, without braces. The payload's bytes go in as they are when they are JSON,
 * else as payload_base64. */
void job_json_write(const struct stored_job *job, struct bytes payload, struct buffer *out);
/* One attempt, with braces. */
void attempt_json_write(const struct attempt_row *a, const struct job_row *row, struct buffer *out);

#endif
