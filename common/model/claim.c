/* SPDX-License-Identifier: Apache-2.0
 *
 * claim.c: the words for the states and ends of claims.
 */
#include "common/model/claim.h"

#include "common/model/job.h"

static const char *const states[] = {
#define X(code, word) [code] = word,
        CLAIM_STATES(X)
#undef X
};

static const char *const ends[] = {
#define X(code, word) [code] = word,
        CLAIM_ENDS(X)
#undef X
};

const char *claim_state_word(enum claim_state s)
{
        return states[s];
}

bool claim_state_parse(struct bytes word, enum claim_state *out)
{
        return bytes_find(word, states, sizeof(states) / sizeof(states[0]), (unsigned *)out);
}

const char *claim_end_word(enum claim_end end)
{
        return ends[end];
}

bool claim_end_parse(struct bytes word, enum claim_end *out)
{
        return bytes_find(word, ends, sizeof(ends) / sizeof(ends[0]), (unsigned *)out);
}

bool claim_key_is_valid(struct bytes key)
{
        if (key.length == 0 || key.length >= JOB_KEY_SIZE)
                return false;
        for (size_t i = 0; i < key.length; i++) {
                if (key.data[i] < 0x20 || key.data[i] > 0x7e)
                        return false;
        }
        return true;
}
