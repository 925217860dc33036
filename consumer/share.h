/* SPDX-License-Identifier: Apache-2.0
 *
 * share.h: limits what waits here for workers, over all queues, to 2 s of work, one job for each
 * worker, or one of each queue. Above that the queues share one window, by their tenants' weights,
 * and the rest goes back to the broker, where another consumer can run it. Loop thread only.
 */
#pragma once

#include "consumer/core.h"

/* Call each 250 ms, after subscriptions_adjust. */
void share_check(struct consumer *c);
