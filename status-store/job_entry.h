/* SPDX-License-Identifier: Apache-2.0
 *
 * job_entry.h: one job of a batch: its row as it was and as it becomes, and its attempts once there
 * is more to say of them than the row does.
 */
#ifndef WARREN_STATUS_STORE_JOB_ENTRY_H
#define WARREN_STATUS_STORE_JOB_ENTRY_H

#include <uthash.h>

#include "status-store/store.h"

struct attempt_entry {
        struct attempt_row row;
        bool dirty;
        struct attempt_entry *next;
};

struct start_entry {
        struct start start;
        struct start_entry *next;
};

struct job_entry {
        struct job_entry_key {
                int64_t tenant;
                unsigned char id[ID_SIZE];
        } key;
        struct stored_job job;
        bool stored;        /* there is a row already */
        bool dirty;         /* it must be written */
        bool drop_payloads; /* those stored are of an earlier run, or forgotten */
        int64_t type;       /* its number; 0: unknown */
        int was_state;      /* as counted; -1: not counted yet */
        int64_t was_type;
        int64_t forgotten; /* forgotten_run as it was loaded */
        bool attempts_loaded;
        struct attempt_entry *attempts;
        struct start_entry *starts; /* to be written */
        UT_hash_handle hh;
};

void job_entry_free(struct job_entry *j);
/* Dates what was told before the stream had a clock. */
void job_entry_date(struct job_entry *j, msec first);

/* Is there more to an event of this job than its row can hold? Asked before the row is folded.
 * A job's only attempt, begun once and completed, is told by the row's own registers. */
bool job_entry_must_spill(const struct job_entry *j, const struct event *e);
/* Makes the attempts (so far told by the row) rows of their own. */
void job_entry_spill(struct job_entry *j);
/* The attempt, made when it is new. */
struct attempt_entry *job_entry_attempt(struct job_entry *j, int64_t run, int64_t attempt);
/* Of an attempt that the row tells; false when there is none. Fill a zeroed one. */
bool attempt_of_row(const struct job_row *row, struct attempt_row *a);

#endif
