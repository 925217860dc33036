/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup.h: reads one job, its attempts, and what is known of a delivery.
 */
#pragma once

#include "common/base/json_mask.h"
#include "common/db/readers.h"
#include "status-store/projection/schema.h"

/* 1: found, fills job (zeroed before); 0: unknown; -1. tenant "*": any. Also finds rows that are
 * not shown: the caller checks row.shown. */
int lookup_job(struct reader *r, const char *tenant, const char *id, struct stored_job *job,
               struct err *e) MUST_CHECK;
/* Adds the job's members, without braces. mask: as in job_view. */
int lookup_write_job(struct reader *r, const struct stored_job *job, const struct mask_words *mask,
                     struct buffer *out, struct err *e) MUST_CHECK;
/* Adds `"attempts": […]`, oldest first. */
int lookup_write_attempts(struct reader *r, const struct stored_job *job, struct buffer *out,
                          struct err *e) MUST_CHECK;

/* Adds `"events": […], "complete": …`, in the order in which they happened. */
int lookup_write_events(struct reader *r, const struct stored_job *job, struct buffer *out,
                        struct err *e) MUST_CHECK;
/* 1: appends the payload's bytes; 0: the row was told in part, it is not known; -1. */
int lookup_read_payload(struct reader *r, const struct stored_job *job, struct buffer *out,
                        struct err *e) MUST_CHECK;
/* What the primary's list of last acts says of a message (registry_acts.h). */
enum moved_word { MOVED_UNKNOWN, MOVED_SUPERSEDED, MOVED_ENDED };

struct delivery_asked {
        char tenant[TENANT_SIZE];
        char id[UUID_SIZE];
        int64_t run, attempt, copy; /* attempt: the one about to start, 1 for the first */
        enum moved_word listed;
        bool forgotten; /* of that list: the job was forgotten in this run */
};

/* A worker is alive while, at as_of, its last record is younger than this. */
#define WORKER_ALIVE ((msec)15 * MSEC_SECOND)
/* A retry that has not come due so long after its time counts as lost. */
#define RETRY_GRACE ((msec)10 * MSEC_SECOND)

/* What is said of a delivery needs its starts, ends, retries and burials, and not its submission,
 * which may be read after them, or never. Of a job of which only the message that is asked about
 * was seen it is `unknown`. Adds one object: state, worker, worker_alive, starts; for a buried job
 * also reason, error_kind and error; `forget` where that message has made the row of an ended job
 * again. */
int lookup_write_delivery(struct reader *r, const struct delivery_asked *d, msec as_of,
                          struct buffer *out, struct err *e) MUST_CHECK;
