/* SPDX-License-Identifier: Apache-2.0
 *
 * job_runs.h: the parts of indexes that a filter names.
 *
 * A run is the rows that are equal in the first columns of an index: they are sorted by (created,
 * seq). All rows of a run of (tenant, type, shelf) or (type, shelf) match a filter by tenant, type,
 * status and priority, and table `counts` says which runs are not empty. A tenant's filter by
 * status alone takes the few runs of (tenant, state). So does one that names more than RUNS_MAX
 * runs; then the rows may match or not.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/jobs/cursor.h"
#include "status-store/jobs/job_filter.h"

enum { RUNS_MAX = 4096 };

enum run_kind { RUN_OF_TENANT, RUN_OF_ALL, RUN_OF_STATE };

struct job_run {
        int64_t tenant, type; /* of `names`; type 0: rows without one */
        int shelf;            /* RUN_OF_STATE: the state */
};

struct job_runs {
        enum run_kind kind;
        bool exact; /* all rows match; false: look at each */
        struct job_run *all;
        size_t count, room;
        int64_t jobs; /* how many the filter's tenant, types, statuses and priorities match */
};

/* Starts as {0}. The text and the times of the filter do not matter. */
int job_runs_find(struct reader *r, const struct job_filter *f, struct job_runs *out,
                  struct err *e) MUST_CHECK;
void job_runs_fini(struct job_runs *runs);
#define AUTO_RUNS __attribute__((cleanup(job_runs_fini))) struct job_runs

/* Where the rows of a filter begin behind `after`, exclusive, and which time ends them, likewise.
 */
struct cursor job_filter_begin(const struct job_filter *f, const struct cursor *after);
msec job_filter_end(const struct job_filter *f, bool ascending);

/* Which rows of a run are wanted. */
struct run_part {
        struct cursor after; /* exclusive; its direction is the order */
        msec end;            /* exclusive */
        int64_t limit;
};
/* → created, seq */
sqlite3_stmt *job_run_query(struct reader *r, enum run_kind kind, const struct job_run *run,
                            const struct run_part *part, struct err *e) MUST_CHECK;
/* → how many there are; part->limit: count no more. */
sqlite3_stmt *job_run_count(struct reader *r, enum run_kind kind, const struct job_run *run,
                            const struct run_part *part, struct err *e) MUST_CHECK;
