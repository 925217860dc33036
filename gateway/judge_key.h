/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_key.h: what a claim on its idempotency key means for a submission. Pure.
 */
#pragma once

#include "gateway/claim.h"
#include "gateway/refusal.h"

/* The claim to ask for, which borrows from the job and from holder. now: wall clock. */
struct claim_ask judge_key_ask(const struct job *job, const char *holder, msec now);

enum key_verdict {
        KEY_GRANTED, /* to be published, with the id and the times that the job has now; or, to a
                      * look, it would be */
        KEY_REPLAYS, /* the job, of which id and times are now those of the first answer, was
                      * accepted before */
        KEY_REFUSED, /* *why says why */
};

/* When the message that is published now makes the job due: at its run_at, and later in a later
 * copy of a job whose time is to come (taken: as in claim_answer). By then the start of an earlier
 * copy is known, so that the later one, which is asked about, does not run. But it does not expire
 * by that. */
msec judge_key_due(const struct job *job, int64_t taken, msec now);

/* body: of the submission, for the place of its key. */
enum key_verdict judge_key(const struct claim_answer *a, struct bytes body, struct job *job,
                           struct refusal *why) MUST_CHECK;
