/* SPDX-License-Identifier: Apache-2.0
 *
 * start.h: runs what waits for a worker. Loop thread only.
 */
#ifndef WARREN_CONSUMER_START_H
#define WARREN_CONSUMER_START_H

#include "consumer/core.h"

/* Starts what can start. Once a turn of the loop. */
void start_ready(struct consumer *c);
/* What the handlers tell of their progress. */
struct progress *start_progress(struct consumer *c);

#endif
