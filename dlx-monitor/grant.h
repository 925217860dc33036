/* SPDX-License-Identifier: Apache-2.0
 *
 * grant.h: asks the primary status-store for the number of a job's next run: it alone grants them,
 * because a job can also be retried without its letter.
 */
#pragma once

#include "common/http/client.h"
#include "dlx-monitor/archive.h"

struct grant_ask {
        const char *tenant, *job;
        const char *holder; /* an id: the same one is granted the same run again */
        int64_t after;      /* the greatest run that the caller knows */
        int64_t run;        /* the one that the holder is of */
};

/* Blocks for an answer, 5 s at most. ERR_UNAVAILABLE: the primary is away. ERR_CONFLICT: it refuses
 * the run, and says why. */
int grant_run(struct http_client *primary, const struct grant_ask *ask, struct replay_run *out,
              struct err *e) MUST_CHECK;
