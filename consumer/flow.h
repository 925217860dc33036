/* SPDX-License-Identifier: Apache-2.0
 *
 * flow.h: how much is taken from the queues: no more bytes than may be held, and nothing that other
 * consumers could run while no worker here comes free. Loop thread only.
 */
#ifndef WARREN_CONSUMER_FLOW_H
#define WARREN_CONSUMER_FLOW_H

#include "consumer/core.h"

/* Once a turn of the loop. */
void flow_turn(struct consumer *c);
/* Have all workers been busy for long? Then what waits goes back. Now and then. */
void flow_look(struct consumer *c);
/* A worker is free: the queues that were left are subscribed again, and what they bring is awaited
 * before one is picked: until flow_gathered, by gather_alarm. */
void flow_run_ended(struct consumer *c);
void flow_gathered(void *owner);

#endif
