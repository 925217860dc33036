/* SPDX-License-Identifier: Apache-2.0
 *
 * live_meters.h: the metrics of the live feed.
 */
#pragma once

#include "common/metrics/metrics.h"

struct live_meters {
        struct metric *clients;
        struct metric *events;  /* that were read */
        struct metric *skipped; /* what could not be read of the stream */
        struct metric *dropped; /* that a client was too slow for */
        struct metric *gaps;    /* label: why */
};

void live_meters_init(struct live_meters *m, struct metrics *metrics);
