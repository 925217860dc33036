/* SPDX-License-Identifier: Apache-2.0
 *
 * heartbeat.h: publishes this worker's record (worker.h), for the status-stores: every
 * WORKER_PERIOD, and when its state or its handlers change. Loop thread only.
 */
#ifndef WARREN_CONSUMER_HEARTBEAT_H
#define WARREN_CONSUMER_HEARTBEAT_H

#include "consumer/core.h"

/* Does nothing while the publishing link is down. */
void heartbeat_publish(struct consumer *c, enum worker_state state);

#endif
