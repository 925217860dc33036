/* SPDX-License-Identifier: Apache-2.0
 *
 * list_runs.h: the rows that a filter names, in the order of lists: the merge of its runs.
 *
 * Runs are read by chunks with one prepared statement, so that a listing costs a seek and a few
 * index entries for each run.
 */
#pragma once

#include "status-store/jobs/job_runs.h"

struct list_runs;

/* Begins behind `after`, in its direction. Borrows the reader; the filter may go. */
struct list_runs *list_runs_create(struct reader *r, const struct job_filter *f,
                                   const struct cursor *after, struct err *e) MUST_CHECK;
void list_runs_destroy(struct list_runs **l);
/* The next row; false: there are no more. */
bool list_runs_peek(const struct list_runs *l, struct cursor *out);
/* Moves past it. */
int list_runs_pass(struct list_runs *l, struct err *e) MUST_CHECK;
/* True: each row matches the filter but for its text; false: some may not (job_filter_matches). */
bool list_runs_are_exact(const struct list_runs *l);
