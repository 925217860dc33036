/* SPDX-License-Identifier: Apache-2.0
 *
 * token_copies.h: finds tokens of a rate that the broker has doubled. A broker that is killed while
 * it moves a token to the cooling queue or back may have it in both queues afterwards. The two have
 * the same number, and a token's round grows by one each time it cools down. So once a token was
 * spent here in one round, one with its number in that round or an earlier one is a copy.
 *
 * The copy in the highest round is never found, so the last one of a number always stays.
 */
#pragma once

#include "consumer/tokens.h"

struct token_copies {
        int64_t *next; /* by number: the lowest round that may still come; NULL: no tokens */
        int64_t count;
};

/* The tokens of a new version, with numbers below count. 0: none; frees. */
void token_copies_use(struct token_copies *c, int64_t count);
/* The connection or one of its channels was lost, and with it what the broker was told last: such a
 * token comes again in the same round. (Its `redelivered` says nothing: on RabbitMQ 4 a token that
 * was redelivered once stays so when it cools down.) */
void token_copies_forget(struct token_copies *c);
void token_copies_spent(struct token_copies *c, const struct token_round *r);
bool token_copies_is_copy(const struct token_copies *c, const struct token_round *r);
