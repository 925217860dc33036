/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_tokens.h: token queues without a broker. The functions of tokens.h are replaced, and so are
 * the clock and the time since a token was taken.
 */
#pragma once

#include "consumer/tokens.h"

enum { FAKE_QUEUES_MAX = 512, FAKE_CHANNELS = 4 };

struct fake_tokens {
        msec now;
        unsigned returned, spent, removed;
        unsigned ended;           /* subscriptions, before they brought a token */
        struct token_round round; /* of the next that is delivered */
};
extern struct fake_tokens fake;

/* Clears everything. Every tokens_create must have had its tokens_destroy. */
void fake_tokens_reset(void);
/* How many tokens of a queue are wanted, of any rank and of one; 0 also without such a queue. */
unsigned fake_tokens_wanted(const char *queue);
unsigned fake_tokens_wanted_of(const char *queue, int rank);
/* The broker delivers one of the wanted tokens. False: none was wanted, or it went back. */
bool fake_tokens_deliver(const char *queue);
/* Likewise, also of a queue of which none is wanted: for tests that do not mind who asks. */
void fake_tokens_bring(const char *queue);
/* The connection is lost: tokens taken until now are held no more. */
void fake_tokens_lose(void);
/* One channel is lost. Tokens come on the first, the second and so on, in turn. */
void fake_tokens_lose_channel(unsigned i);
unsigned fake_tokens_queues(void);
/* Tokens that are taken, of all queues. */
unsigned fake_tokens_taken(void);
