/* SPDX-License-Identifier: Apache-2.0
 *
 * meters.h: what the gateway counts.
 */
#ifndef WARREN_GATEWAY_METERS_H
#define WARREN_GATEWAY_METERS_H

#include "common/metrics/metrics.h"

struct meters {
        struct metrics *metrics;
        struct metric *submitted; /* tenant, type, priority */
        struct metric *refused;   /* reason */
        struct metric *confirm;   /* seconds */
        struct metric *requests;  /* route, code */
        struct metric *duration;  /* route; seconds */
        struct metric *link_up;
        struct metric *in_flight;
};

void meters_init(struct meters *m);
void meters_fini(struct meters *m);

#endif
