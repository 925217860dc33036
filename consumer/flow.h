/* SPDX-License-Identifier: Apache-2.0
 *
 * flow.h: limits what is taken from the queues: to `held_max` bytes, and, while no worker becomes
 * free, to nothing, so that other consumers can run it. Loop thread only.
 */
#pragma once

#include "consumer/core.h"

/* Call once a turn of the loop. */
void flow_turn(struct consumer *c);
/* Requeues the waiting jobs when all workers have been busy for 5 s. Call about once a second. */
void flow_check(struct consumer *c);
/* A worker is free again. After a stall this subscribes the suspended queues again; no attempt is
 * picked until flow_gathered, which gather_alarm calls. */
void flow_run_ended(struct consumer *c);
void flow_gathered(void *owner);
