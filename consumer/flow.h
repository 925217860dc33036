/* SPDX-License-Identifier: Apache-2.0
 *
 * flow.h: limits what is taken from the queues: to `held_max` bytes, and to what the workers here
 * soon run, so that other consumers can run the rest: to nothing while no worker becomes free. Loop
 * thread only.
 */
#pragma once

#include "consumer/core.h"

/* Call once a turn of the loop. */
void flow_turn(struct consumer *c);
/* Requeues waiting jobs: all, when no run has started or ended for 5 s; else see share.h. Call each
 * 250 ms, after subscriptions_adjust. */
void flow_check(struct consumer *c);
/* A worker is free again. After a stall this subscribes the suspended queues again; no attempt is
 * picked until flow_gathered, which gather_alarm calls. */
void flow_run_ended(struct consumer *c);
void flow_gathered(void *owner);
