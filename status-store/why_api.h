/* SPDX-License-Identifier: Apache-2.0
 *
 * why_api.h: GET /jobs/{id}/why of the internal API, for jobs_api.c, which finds the job.
 */
#pragma once

#include "status-store/api.h"
#include "status-store/why/why_facts.h"

struct why_asked {
        struct api *api;
        const char *tenant; /* the caller's, or "*" */
        struct why_case
                found; /* so far: what the gateway says of its broker, and what is counted */
};
/* Reads what the gateway says. False: 400 has been answered. */
bool why_read_query(struct http_request *r, struct why_asked *out);
/* Asks the broker about the limits of the job; waits 300 ms at most. No reader may be held. */
void why_count(struct why_asked *asked, const struct stored_job *job);
/* Adds the members of the answer, after why_count. */
int why_write(struct reader *r, struct why_asked *asked, const struct stored_job *job,
              struct buffer *out, struct err *e) MUST_CHECK;
