/* SPDX-License-Identifier: Apache-2.0
 *
 * heartbeat.h: tells the status-stores that this worker lives, and what it runs: every
 * WORKER_PERIOD, and when that changes. Loop thread only.
 */
#ifndef WARREN_CONSUMER_HEARTBEAT_H
#define WARREN_CONSUMER_HEARTBEAT_H

#include "consumer/core.h"

/* Nothing while nothing can be published. */
void heartbeat_tell(struct consumer *c, enum worker_state state);

#endif
