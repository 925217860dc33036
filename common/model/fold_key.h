/* SPDX-License-Identifier: Apache-2.0
 *
 * fold_key.h: the order of a job's events. A register keeps the value of its greatest event.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"

/* Phases from which on the attempt has been started, and the job has ended. */
enum { PHASE_STARTED = 5, PHASE_ENDED = 8 };

/* Compared by run, closed, attempt, stage, copy, phase, at, digest. Stage: before the start,
 * started, or the phase itself when the job has ended. So a copy that was made later outranks the
 * wait of an earlier one, but neither the start of whichever copy runs, nor the end of the job. All
 * zero: no event yet; less than any event's key. */
struct fold_key {
        int64_t run;
        int64_t closed; /* 3 forgotten, 2 completed, 1 dead or cancelled, 0 else */
        int64_t attempt;
        int64_t phase;
        int64_t copy;
        msec at;
        uint64_t digest;
};

int fold_key_compare(const struct fold_key *a, const struct fold_key *b);
/* The key as numbers below 2^53, for readers in other languages: compared one after the other they
 * order events as fold_key_compare does. Of the digest the upper 53 bits are there. */
enum { FOLD_KEY_NUMBERS = 8 };
void fold_key_numbers(const struct fold_key *k, int64_t out[FOLD_KEY_NUMBERS]);
/* Sets *key to *to if that is greater; false: it is not. */
bool fold_key_raise(struct fold_key *key, const struct fold_key *to);
