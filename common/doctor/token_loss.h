/* SPDX-License-Identifier: Apache-2.0
 *
 * token_loss.h: judges by the broker's counts whether a limit has lost tokens. One such reading
 * proves nothing: the counts are 5 s old, and 0 for some seconds after a restart of the broker.
 * Pure.
 */
#pragma once

#include <stdint.h>

#include "common/base/clock.h"

enum token_loss {
        TOKENS_COMPLETE, /* or it cannot be known */
        TOKENS_NOT_MADE, /* there is no version in force */
        TOKENS_NO_QUEUE,
        TOKENS_FEWER, /* than the limit has */
};

/* tokens: as many as the limit has. messages: those of its queue, free (ready) and used (unacked);
 * -1: not known. NULL: there is no queue. */
enum token_loss token_loss_of(int64_t tokens, const int64_t *messages);
/* The two queues of a rate count as one; NULL when one is missing. They are not counted at one
 * moment: while starts begin or stop, a token that moved may be missed once, or counted twice. */
const int64_t *token_counts_join(const int64_t *ready, const int64_t *cooling, int64_t *sum);
/* For how long each reading must show the loss before it is one. */
msec token_loss_patience(enum token_loss loss);
