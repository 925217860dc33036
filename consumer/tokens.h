/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens.h: takes the tokens of a limit from its queue. A token that is wanted is a subscription of
 * its own with prefetch 1, which is cancelled when it has brought one; so the broker serves those
 * who wait in their order, the more urgent first. Loop thread only.
 */
#pragma once

#include <stdbool.h>

#include "common/amqp/link.h"

struct tokens; /* of one queue */
struct token;  /* one that is held here */

enum {
        TOKENS_RANK_RUNNING = 4, /* for what runs already: before every waiting job */
        TOKENS_RANKS,            /* those below are the priorities of jobs */
};

/* came: a token has come: take it within the call, or it goes back. The link is borrowed; it is one
 * for tokens alone, without a stream. */
struct tokens *tokens_create(struct link *l, const char *queue, void (*came)(void *owner),
                             void *owner);
/* Wants no token any more. Tokens that were taken must have been returned or spent. */
void tokens_destroy(struct tokens **t);

/* How many tokens are wanted besides those taken, and their rank: a higher one is served first.
 * Less than before: subscriptions end. An end and a new one cost the broker two log entries. */
void tokens_want(struct tokens *t, unsigned count, int rank);
/* As tokens_want, with a number for each rank. */
void tokens_want_each(struct tokens *t, const unsigned counts[TOKENS_RANKS]);
/* As tokens_want_each, but ends no subscription: one of a higher rank counts for a lower one. */
void tokens_want_more(struct tokens *t, const unsigned counts[TOKENS_RANKS]);
/* One subscription instead, which stays when it has brought a token: of those it brings, at most
 * `count` are taken at a time. For limits with many tokens a second. 0: it ends. Before a return,
 * end it: the token would come again. */
void tokens_keep(struct tokens *t, unsigned count);
unsigned tokens_kept(const struct tokens *t);
/* Takes the one that has come; NULL: none. */
struct token *tokens_take(struct tokens *t);
unsigned tokens_wanted(const struct tokens *t); /* asked for, and not yet come */
unsigned tokens_taken(const struct tokens *t);

/* Gives it back to its queue. Clears *k. */
void token_return(struct token **k);
/* Rejects it: its queue's dead lettering takes it to where it cools down. Clears *k. */
void token_spend(struct token **k);
/* Removes it for good. Clears *k. */
void token_remove(struct token **k);
/* False: its connection was lost, and the broker has given it to another. */
bool token_is_held(const struct token *k);
/* When it was taken, on the monotonic clock. */
msec token_since(const struct token *k);

/* One of a rate's tokens, and how often it has cooled down. */
struct token_round {
        int64_t number; /* 0.. within its version; -1: not known */
        int64_t round;  /* 0.. */
};

struct token_round token_round_of(const struct token *k);
