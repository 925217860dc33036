/* SPDX-License-Identifier: Apache-2.0
 *
 * fold_key.c: compares events of a job.
 */
#include "common/model/fold_key.h"

static int compare(int64_t a, int64_t b)
{
        return (a > b) - (a < b);
}

static int64_t stage(const struct fold_key *k)
{
        if (k->phase >= PHASE_ENDED)
                return k->phase;
        return k->phase >= PHASE_STARTED ? PHASE_STARTED : 0;
}

int fold_key_compare(const struct fold_key *a, const struct fold_key *b)
{
        int order = compare(a->run, b->run);

        if (order == 0)
                order = compare(a->closed, b->closed);
        if (order == 0)
                order = compare(a->attempt, b->attempt);
        if (order == 0)
                order = compare(stage(a), stage(b));
        if (order == 0)
                order = compare(a->copy, b->copy);
        if (order == 0)
                order = compare(a->phase, b->phase);
        if (order == 0)
                order = compare(a->at, b->at);
        if (order == 0)
                order = (a->digest > b->digest) - (a->digest < b->digest);
        return order;
}

void fold_key_numbers(const struct fold_key *k, int64_t out[FOLD_KEY_NUMBERS])
{
        enum { DIGEST_LEFT_OUT = 64 - 53 };

        out[0] = k->run;
        out[1] = k->closed;
        out[2] = k->attempt;
        out[3] = stage(k);
        out[4] = k->copy;
        out[5] = k->phase;
        out[6] = k->at;
        out[7] = (int64_t)(k->digest >> DIGEST_LEFT_OUT);
}

bool fold_key_raise(struct fold_key *key, const struct fold_key *to)
{
        if (fold_key_compare(key, to) >= 0)
                return false;
        *key = *to;
        return true;
}
