/* SPDX-License-Identifier: Apache-2.0
 *
 * accept.h: takes deliveries, and decides what each attempt does that has not started. Loop thread
 * only.
 */
#ifndef WARREN_CONSUMER_ACCEPT_H
#define WARREN_CONSUMER_ACCEPT_H

#include "consumer/core.h"

/* Takes the delivery. */
void accept_delivery(void *owner, struct tenant_queue *f, struct delivery *d);
/* Its duplicate check was answered. */
void accept_answered(void *owner, struct attempt *a, const struct duplicate_answer *answer);
/* The time has come for which it was held. */
void accept_due(void *owner, struct attempt *a);
/* One that was to run and could not begin: waits again, or is sent away as what waits would be. */
void accept_take_back(struct consumer *c, struct attempt *a);
/* What waits is looked at again under the handlers and pauses now in force. */
void accept_review(struct consumer *c);

#endif
