/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_trial.h: what the jobs of a batch that is a dry run would have taken: the tenants' limits,
 * and idempotency keys.
 */
#pragma once

#include "common/model/job.h"

struct batch_trial;

struct batch_trial *batch_trial_create(void);
void batch_trial_destroy(struct batch_trial **t);

/* Jobs of a tenant. */
struct trial_count {
        unsigned admitted; /* by its rate */
        unsigned pending;
};

/* Starts as {0}; the caller counts. */
struct trial_count *batch_trial_count(struct batch_trial *t, const char *tenant);
/* The request's hash that an earlier job has used its key with; NULL: none has, and this one now
 * uses it. */
const char *batch_trial_key(struct batch_trial *t, const struct job *job);
