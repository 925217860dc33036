/* SPDX-License-Identifier: Apache-2.0
 *
 * why_api.h: GET /jobs/{id}/why of the internal API, for jobs_api.c, which finds the job.
 */
#pragma once

#include "status-store/api.h"
#include "status-store/why_facts.h"

/* The gateway's part of the question: the parameters `broker` and `broker_since`. */
struct why_asked {
        enum why_broker broker;
        msec broker_since; /* 0: unknown */
};
/* False: 400 has been answered. */
bool why_read_query(struct http_request *r, struct why_asked *out);
/* Adds the members of the answer. tenant: the caller's, or "*". */
int why_write(struct api *a, struct reader *r, const struct why_asked *asked, const char *tenant,
              const struct stored_job *job, struct buffer *out, struct err *e) MUST_CHECK;
