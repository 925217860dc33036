/* SPDX-License-Identifier: Apache-2.0
 *
 * accept.h: decides what happens to deliveries, and to attempts not yet started. Loop thread only.
 */
#pragma once

#include "consumer/core.h"

/* A queue_delivery_fn: owns the delivery. */
void accept_delivery(void *owner, struct tenant_queue *f, struct delivery *d);
/* What the answer of its duplicate check means for it; counts that, and notes it in the attempt. */
enum duplicate_step accept_judge(struct consumer *c, struct attempt *a,
                                 const struct duplicate_answer *answer);
/* Does so. It was ASKED, or PICKED and has given its limits back; in the latter case not for RUN
 * and RUN_AGAIN. */
void accept_judged(struct consumer *c, struct attempt *a, const struct duplicate_answer *answer,
                   enum duplicate_step step);
/* A due_fn: the attempt was HELD and is due. */
void accept_due(void *owner, struct attempt *a);
/* RUNNING, but could not begin: the attempt waits again, or hops as accept_review decides. */
void accept_take_back(struct consumer *c, struct attempt *a);
/* The handlers or pauses have changed: checks all waiting attempts again. */
void accept_review(struct consumer *c);
