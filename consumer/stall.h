/* SPDX-License-Identifier: Apache-2.0
 *
 * stall.h: what a consumer does whose workers are all busy and none of whose runs ends. Loop thread
 * only.
 */
#ifndef WARREN_CONSUMER_STALL_H
#define WARREN_CONSUMER_STALL_H

#include "consumer/core.h"

/* Is it stalled? Now and then. */
void stall_look(struct consumer *c);
/* intake_delivery, and back with it while nothing could run. */
void stall_delivery(void *owner, struct feed *f, struct delivery *d);
/* A worker is free: the queues that were left are subscribed again, and what they bring is awaited
 * before one is picked. */
void stall_run_ended(struct consumer *c);
void stall_gathered(void *owner);

#endif
