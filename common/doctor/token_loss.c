/* SPDX-License-Identifier: Apache-2.0
 *
 * token_loss.c: judging token queues.
 */
#include "common/doctor/token_loss.h"

#include <stddef.h>

/* The management plugin learns of a queue 5 s late. */
static const msec queue_patience = 6500;
/* Longer than a broker's counts are wrong after a restart, and than its consumers need to come
 * back. */
static const msec count_patience = (msec)30 * MSEC_SECOND;

enum token_loss token_loss_of(int64_t tokens, const int64_t *messages)
{
        if (messages == NULL)
                return TOKENS_NO_QUEUE;
        return *messages >= 0 && *messages < tokens ? TOKENS_FEWER : TOKENS_COMPLETE;
}

const int64_t *token_counts_join(const int64_t *ready, const int64_t *cooling, int64_t *sum)
{
        if (ready == NULL || cooling == NULL)
                return NULL;
        *sum = *ready < 0 || *cooling < 0 ? -1 : *ready + *cooling;
        return sum;
}

msec token_loss_patience(enum token_loss loss)
{
        return loss == TOKENS_NO_QUEUE ? queue_patience : count_patience;
}
