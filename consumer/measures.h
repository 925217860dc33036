/* SPDX-License-Identifier: Apache-2.0
 *
 * measures.h: the consumer's metrics (docs/http.md); comments name their labels.
 */
#pragma once

#include "common/metrics/metrics.h"

struct measures {
        struct metric *processed;  /* type, status */
        struct metric *failed;     /* type, reason */
        struct metric *retries;    /* type */
        struct metric *processing; /* type */
        struct metric *wait;       /* priority */
        struct metric *confirm;
        struct metric *checked;      /* verdict */
        struct metric *hops;         /* reason */
        struct metric *parked;       /* type */
        struct metric *tenant_slots; /* tenant, state */
        struct metric *active, *held, *held_bytes, *slots;
        struct metric *marks, *blind;
        struct metric *stale; /* 0 or 1 */
};

void measures_init(struct measures *ms, struct metrics *m);
