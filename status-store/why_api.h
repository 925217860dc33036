/* SPDX-License-Identifier: Apache-2.0
 *
 * why_api.h: GET /jobs/{id}/why of the internal API, for jobs_api.c, which finds the job.
 */
#pragma once

#include "status-store/api.h"
#include "status-store/why_facts.h"

struct why_asked {
        struct api *api;
        const char *tenant; /* the caller's, or "*" */
        /* What the gateway says of its broker: the parameters `broker` and `broker_since`. */
        enum why_broker broker;
        msec broker_since; /* 0: unknown */
};
/* Reads what the gateway says. False: 400 has been answered. */
bool why_read_query(struct http_request *r, struct why_asked *out);
/* Adds the members of the answer. */
int why_write(struct reader *r, const struct why_asked *asked, const struct stored_job *job,
              struct buffer *out, struct err *e) MUST_CHECK;
