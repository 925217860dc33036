/* SPDX-License-Identifier: Apache-2.0
 *
 * token_loss.h: judges by the broker's and the projection's counts whether a limit has lost tokens.
 * One such reading proves nothing: for some seconds after a restart of the broker its counts are 0.
 * Pure.
 */
#pragma once

#include <stdint.h>

#include "common/base/clock.h"

/* A limit that is in force, and the jobs under it. */
struct token_limit {
        int64_t tokens; /* 0: a rate, whose tokens move between two queues: their number is unknown
                         */
        int64_t pending, running; /* -1: not known */
};

enum token_loss {
        TOKENS_COMPLETE, /* or it cannot be known */
        TOKENS_NO_QUEUE,
        TOKENS_GONE,  /* there is none; jobs wait and none runs */
        TOKENS_FEWER, /* than the limit has */
};

/* messages: those of the limit's queue that wait or are held; -1: not known. NULL: there is no
 * queue. */
enum token_loss token_loss_of(const struct token_limit *l, const int64_t *messages);
/* The two queues of a rate count as one; NULL when one is missing. */
const int64_t *token_counts_join(const int64_t *ready, const int64_t *cooling, int64_t *sum);
/* For how long each reading must show the loss before it is one. */
msec token_loss_patience(enum token_loss loss);
