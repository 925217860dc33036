/* SPDX-License-Identifier: Apache-2.0
 *
 * overflow.h: jobs of types that are at their own concurrency. Enough of them wait here to keep
 * the slots busy, beside the queue's window, and the rest is sent away, so that what is behind them
 * in the queue gets its turn. Loop thread only.
 */
#ifndef WARREN_CONSUMER_OVERFLOW_H
#define WARREN_CONSUMER_OVERFLOW_H

#include <stdbool.h>

#include "common/base/clock.h"

struct attempt;
struct consumer;
struct handler;
struct overflow;

struct overflow *overflow_create(void);
void overflow_destroy(struct overflow **o);

/* Sends it away, instead of letting it wait: enough of its kind do. */
bool overflow_takes(struct consumer *c, struct attempt *a, const struct handler *h);
/* Sends away what is too much, and counts, per queue, what waits for its type. Now and then. */
void overflow_look(struct consumer *c);

/* A run has started, or ended after us. */
void overflow_started(struct overflow *o, const struct handler *h, msec mono_now);
void overflow_ended(struct overflow *o, const struct handler *h, int64_t us, msec mono_now);

#endif
