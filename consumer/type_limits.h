/* SPDX-License-Identifier: Apache-2.0
 *
 * type_limits.h: jobs that wait for a limit of their type: its concurrency here, its running limit
 * or its rate over all consumers. Enough of them wait here, outside the queue's window, to use the
 * limit. The others are sent away (they hop), so that they do not block the jobs behind them in the
 * queue. Loop thread only.
 */
#pragma once

#include <stdbool.h>

#include "common/base/clock.h"

struct attempt;
struct consumer;
struct handler;
struct type_limits;

struct type_limits *type_limits_create(void);
void type_limits_destroy(struct type_limits **limits);

/* True: enough jobs of its type wait here, and this one was sent away. */
bool type_limits_takes(struct consumer *c, struct attempt *a, const struct handler *h);
/* Sends surplus waiting jobs away, counts the rest in tenant_queue.limited. Call each 250 ms. */
void type_limits_check(struct consumer *c);

/* A run has started, or has ended after `us` microseconds. */
void type_limits_started(struct type_limits *limits, const struct handler *h, msec mono_now);
void type_limits_ended(struct type_limits *limits, const struct handler *h, int64_t us,
                       msec mono_now);
