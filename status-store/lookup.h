/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup.h: one job, its attempts, and whether a delivery of it should still be run.
 */
#ifndef WARREN_STATUS_STORE_LOOKUP_H
#define WARREN_STATUS_STORE_LOOKUP_H

#include "status-store/queries.h"

/* 1: found (job, zeroed before, is filled); 0: unknown; -1. tenant "*": any. Rows that are not
 * shown are found too: the caller looks at row.shown. */
int lookup_job(struct reader *r, const char *tenant, const char *id, struct stored_job *job,
               struct err *e) MUST_CHECK;
/* Adds the job's members without braces. */
int lookup_write_job(struct reader *r, const struct stored_job *job, struct buffer *out,
                     struct err *e) MUST_CHECK;
/* Adds `"attempts": […]`, oldest first. */
int lookup_write_attempts(struct reader *r, const struct stored_job *job, struct buffer *out,
                          struct err *e) MUST_CHECK;

struct delivery_asked {
        char tenant[TENANT_SIZE];
        char id[UUID_SIZE];
        int64_t run, attempt, copy; /* attempt: the one about to start, from 1 */
};

/* A worker is alive while its last record is younger than this, at as_of. */
#define WORKER_ALIVE ((msec)15 * MSEC_SECOND)
/* A retry that has not come due so long after its time is taken for lost. */
#define RETRY_GRACE ((msec)10 * MSEC_SECOND)

/* Adds one object: state, worker, worker_alive, starts; of a buried one also reason, error_kind and
 * error. */
int lookup_write_delivery(struct reader *r, const struct delivery_asked *d, msec as_of,
                          struct buffer *out, struct err *e) MUST_CHECK;
/* Adds `"workers": […]`. What a worker runs of other tenants is left out; "*": all. */
int lookup_write_workers(struct reader *r, const char *tenant, msec as_of, struct buffer *out,
                         struct err *e) MUST_CHECK;

#endif
