/* SPDX-License-Identifier: Apache-2.0
 *
 * expirer.h: ends jobs that have expired where no consumer sees them: in the queue of a paused
 * tenant, or while no consumer runs. It publishes `cancelled`, reason `expired`. The message stays
 * in its queue: the consumer that gets it finds it expired, says the same and acks it. If the job
 * did start in time and only its events are late, its completion or burial wins.
 */
#pragma once

#include "status-store/sweeper.h"

extern const struct sweep expirer;
