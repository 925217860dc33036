/* SPDX-License-Identifier: Apache-2.0
 *
 * fold_key.h: the order of a job's events. A register keeps the value of its greatest event.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"

/* Members in the order of comparison. All zero: no event yet; less than any event's key. */
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
/* Sets *key to *to if that is greater; false: it is not. */
bool fold_key_raise(struct fold_key *key, const struct fold_key *to);
