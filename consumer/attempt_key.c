/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt_key.c: keys of attempts and of their messages.
 */
#include "consumer/attempt_key.h"

#include <string.h>

void attempt_key_of(const struct job *job, struct attempt_key *out)
{
        memset(out, 0, sizeof(*out));
        memcpy(out->tenant, job->tenant, strnlen(job->tenant, sizeof(out->tenant)));
        memcpy(out->id, job->id, strnlen(job->id, sizeof(out->id)));
        out->run = job->run;
        out->number = job->attempt + 1;
        out->copy = job->copy;
}

void attempt_key_of_message(const struct job *job, struct attempt_key *out)
{
        attempt_key_of(job, out);
        out->stamp = job->queued_at + 1;
}

bool attempt_key_is_of(const struct attempt_key *a, const struct attempt_key *b)
{
        return a->run == b->run && a->number == b->number && strcmp(a->id, b->id) == 0 &&
               strcmp(a->tenant, b->tenant) == 0;
}
