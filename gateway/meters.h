/* SPDX-License-Identifier: Apache-2.0
 *
 * meters.h: the metrics of the gateway.
 */
#pragma once

#include "common/metrics/metrics.h"
#include "gateway/live/live_meters.h"

struct meters {
        struct metrics *metrics;
        struct metric *submitted;     /* labels: tenant, type, priority */
        struct metric *refused;       /* label: reason */
        struct metric *rate_refused;  /* label: tenant */
        struct metric *acts_refused;  /* label: reason */
        struct metric *audit_dropped; /* label: reason */
        struct metric *told_late;
        struct metric *dry_runs;
        struct metric *confirm;      /* of a job's queue; seconds */
        struct metric *pack_confirm; /* seconds */
        struct metric *packs, *packed;
        struct metric *claims; /* label: outcome, a state of claims.h or "failed" */
        struct metric *claim;  /* seconds */
        struct metric *claim_waits;
        struct metric *requests; /* labels: route, code */
        struct metric *duration; /* label: route; seconds */
        struct metric *link_up;  /* label: link */
        struct metric *in_flight;
        struct metric *untold;
        struct live_meters live;
};

/* The owner destroys `metrics`. */
void meters_init(struct meters *m);
