/* SPDX-License-Identifier: Apache-2.0
 *
 * parked_counts.h: the pauses of types that a tenant's jobs may meet, with the number of jobs that
 * are parked in each. Counts of the broker are used for 2 s (token_counts.h).
 *
 * Any thread; reading waits for the broker at most 300 ms.
 */
#pragma once

#include "status-store/api.h"

struct parked_count {
        struct pause_record pause;
        char tenant[TENANT_SIZE]; /* "": for all */
        char type[JOB_TYPE_SIZE];
        int64_t jobs; /* -1: not known */
};

/* {0} on entry of parked_counts_read. */
struct parked_counts {
        struct parked_count *list; /* by key, those that are over too: their queues stay */
        size_t count;
        bool known; /* this is the primary */
};

/* tenant: "*" for all; else its own, and those for all. Does nothing where this is not the primary.
 */
int parked_counts_read(const struct api *a, const char *tenant, struct parked_counts *out,
                       struct err *e) MUST_CHECK;
void parked_counts_fini(struct parked_counts *p);
/* Jobs in the queues of that tenant's own pauses; -1: not known. */
int64_t parked_counts_of(const struct parked_counts *p, const char *tenant);
/* Jobs of a type that are parked; tenant as in parked_counts_read. -1: not known, to a tenant also
 * while the type is paused for all. */
int64_t parked_counts_of_type(const struct parked_counts *p, const char *tenant, const char *type);
