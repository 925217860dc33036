/* SPDX-License-Identifier: Apache-2.0
 *
 * stop.h: draining a consumer, phase by phase (enum phase in core.h). Loop thread only.
 */
#pragma once

#include "consumer/core.h"

/* Takes no more jobs, requeues those not started, lets the rest end, then ends the service. */
void stop_begin(struct consumer *c);
/* Enters the consumer's next phase if it can. Called once a turn of the loop, and by stop_alarm. */
void stop_step(void *owner);
