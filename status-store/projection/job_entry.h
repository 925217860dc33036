/* SPDX-License-Identifier: Apache-2.0
 *
 * job_entry.h: one job of a batch: its row, what was stored before, and its attempts when the row
 * cannot hold them.
 */
#pragma once

#include <uthash.h>

#include "status-store/projection/finds.h"
#include "status-store/projection/store.h"

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
        bool stored;        /* the table has a row of it */
        bool dirty;         /* it must be written */
        bool drop_payloads; /* the stored ones are of an earlier run, or forgotten */
        int64_t type;       /* in `names`; 0: unknown */
        int was_shelf;      /* in `counts`; -1: not counted yet */
        int64_t was_type;
        struct find was_find; /* in `finds` */
        bool was_keyed;       /* as job_row_key, when it was loaded */
        int64_t forgotten;    /* forgotten_run when it was loaded */
        bool attempts_loaded;
        struct attempt_entry *attempts;
        struct start_entry *starts; /* not written yet */
        UT_hash_handle hh;
};

void job_entry_free(struct job_entry *j);
/* The idempotency key with which the job was submitted, as far as a reader may know: the row is
 * shown. NULL: none. */
const char *job_row_key(const struct job_row *row);
/* The trace context, of its message, else of what its starts and ends say; "": none, or unknown. */
const char *job_row_traceparent(const struct job_row *row);
/* The row's digests in `finds`. */
struct find job_row_find(const struct job_row *row);
/* Sets the times of what was folded before the stream had a clock. */
void job_entry_date(struct job_entry *j, msec first);

/* True when the row cannot hold this event: attempts then need rows of their own. Call it before
 * the row is folded. The row holds a job's only attempt, started once and completed. */
bool job_entry_must_spill(const struct job_entry *j, const struct event *e);
/* Gives the attempt that the row holds a row of its own. */
void job_entry_spill(struct job_entry *j);
/* Finds the attempt, or adds it. */
struct attempt_entry *job_entry_attempt(struct job_entry *j, int64_t run, int64_t attempt);
/* Adds a start, which the caller fills. */
struct start *job_entry_add_start(struct job_entry *j);
/* Fills a (zeroed) with the attempt that the row holds; false: it holds none. */
bool attempt_of_row(const struct job_row *row, struct attempt_row *a);
