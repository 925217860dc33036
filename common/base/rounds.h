/* SPDX-License-Identifier: Apache-2.0
 *
 * rounds.h: a thread that works in rounds, with a rest after each, until it is told to end.
 */
#pragma once

#include "common/base/clock.h"
#include "common/base/err.h"

struct rounds;

/* One round, on the thread. Returns the rest after it, in ms; 0: none. */
typedef msec round_fn(void *owner);

/* The first round begins after `first` ms. what: the thread's work, for the error. NULL: no thread
 * could be made. */
struct rounds *rounds_start(const char *what, msec first, round_fn *round, void *owner,
                            struct err *e) MUST_CHECK;
/* Any thread: ends the rest, or leaves out the one after the round under way. */
void rounds_wake(struct rounds *r);
/* Waits for the round under way. No thread may be in rounds_wake. */
void rounds_end(struct rounds **r);
