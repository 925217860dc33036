/* SPDX-License-Identifier: Apache-2.0
 *
 * stop.h: the phases of a consumer's end. Loop thread only.
 */
#ifndef WARREN_CONSUMER_STOP_H
#define WARREN_CONSUMER_STOP_H

#include "consumer/core.h"

/* Takes no more, gives back what has not started, lets the rest end, and ends the service. */
void stop_begin(struct consumer *c);
/* The consumer is being destroyed: no step follows on what ends then. */
void stop_at_once(struct consumer *c);
/* Goes on with the end when it can: once a turn of the loop, and by stop_alarm. */
void stop_step(struct consumer *c);
void stop_on_alarm(void *owner);

#endif
