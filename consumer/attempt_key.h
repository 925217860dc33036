/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt_key.h: what deliveries of the same attempt have in common. Pure.
 */
#pragma once

#include <stdint.h>

#include "common/model/job.h"

/* Zero-padded, for hashing. Another copy of the attempt is another message, and has another key. */
struct attempt_key {
        char tenant[TENANT_SIZE];
        char id[UUID_SIZE];
        int64_t run, number, copy;
        msec stamp; /* 0; attempt_key_of_message tells the messages of an attempt apart */
};

void attempt_key_of(const struct job *job, struct attempt_key *out);
/* The key of this one message: a hop publishes another message with the same attempt key. */
void attempt_key_of_message(const struct job *job, struct attempt_key *out);
/* They differ in their copy at most, or are the same. */
bool attempt_key_is_of(const struct attempt_key *a, const struct attempt_key *b);
