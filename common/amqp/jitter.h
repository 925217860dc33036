/* SPDX-License-Identifier: Apache-2.0
 *
 * jitter.h: waits that many programs must not end at the same moment.
 */
#ifndef WARREN_AMQP_JITTER_H
#define WARREN_AMQP_JITTER_H

#include "common/base/clock.h"
#include "common/base/uuid.h"

/* Between a half and the whole of `wait`. */
static inline msec jittered(msec wait)
{
        uint16_t chance;

        random_fill(&chance, sizeof(chance));
        return wait / 2 + wait / 2 * chance / UINT16_MAX;
}

#endif
