/* SPDX-License-Identifier: Apache-2.0
 *
 * jitter.h: random waits, so that many programs do not reconnect at the same moment.
 */
#pragma once

#include "common/base/clock.h"
#include "common/base/uuid.h"

/* Between wait / 2 and wait. */
static inline msec jittered(msec wait)
{
        msec half = wait / 2;

        return half + (msec)((double)half * random_fraction());
}
