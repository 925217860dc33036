/* SPDX-License-Identifier: Apache-2.0
 *
 * type_limits.h: jobs of types that are at their own concurrency. Enough of them wait here to keep
 * the slots busy, beside the queue's window, and the rest is sent away, so that what is behind them
 * in the queue gets its turn. Loop thread only.
 */
#ifndef WARREN_CONSUMER_TYPE_LIMITS_H
#define WARREN_CONSUMER_TYPE_LIMITS_H

#include <stdbool.h>

#include "common/base/clock.h"

struct attempt;
struct consumer;
struct handler;
struct type_limits;

struct type_limits *type_limits_create(void);
void type_limits_destroy(struct type_limits **limits);

/* Sends it away, instead of letting it wait: enough of its kind do. */
bool type_limits_takes(struct consumer *c, struct attempt *a, const struct handler *h);
/* Sends away what is too much, and counts, per queue, what waits for its type. Now and then. */
void type_limits_look(struct consumer *c);

/* A run has started, or ended after us. */
void type_limits_started(struct type_limits *limits, const struct handler *h, msec mono_now);
void type_limits_ended(struct type_limits *limits, const struct handler *h, int64_t us,
                       msec mono_now);

#endif
