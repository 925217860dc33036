/* SPDX-License-Identifier: Apache-2.0
 *
 * heartbeat.h: publishes the event `worker`, this consumer's record, for the status-stores: its
 * state, what it runs and handles. Every WORKER_PERIOD, and when its state or its handlers change.
 * Loop thread only.
 */
#pragma once

#include "consumer/core.h"

enum worker_state { WORKER_UP, WORKER_DRAINING, WORKER_GONE };

enum { WORKER_PERIOD = 5000 /* ms between records */ };

/* host/pid; a host name that is too long is cut. */
void worker_name(char out[WORKER_NAME_SIZE]);
/* Does nothing while the publishing link is down. */
void heartbeat_publish(struct consumer *c, enum worker_state state);
