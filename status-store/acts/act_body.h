/* SPDX-License-Identifier: Apache-2.0
 *
 * act_body.h: the bodies of requests that act on jobs, and of the answers.
 */
#pragma once

#include "common/base/json_scan.h"
#include "status-store/acts/acts.h"
#include "status-store/acts/registry_acts.h"

/* {"run_at": "…" or null, "priority": "high"}, one at least: a PATCH of a job. Sets kind, run_at
 * and priority of `act`. Both return 0, or 400, 422: fault says why. */
int act_body_read_patch(struct bytes body, struct act *act, struct scan_fault *fault) MUST_CHECK;
/* Other acts have no members: {}, or nothing. */
int act_body_read_empty(struct bytes body, struct scan_fault *fault) MUST_CHECK;
/* {"tenant", "id", "after", "holder"}; sets all but `run` and `copy`. */
int act_body_read_grant(struct bytes body, struct run_grant *out,
                        struct scan_fault *fault) MUST_CHECK;
/* Appends the answer to an act that was done. */
void act_answer_write(const struct act *act, const struct act_answer *answer, struct buffer *out);
