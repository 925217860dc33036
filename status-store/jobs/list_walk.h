/* SPDX-License-Identifier: Apache-2.0
 *
 * list_walk.h: the jobs that a filter matches, in the order of lists: by created, then seq.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/jobs/cursor.h"
#include "status-store/jobs/job_filter.h"

struct list_walk;

struct walked_job {
        struct cursor at; /* where a later walk goes on behind it; at.seq is the row's */
        char tenant[TENANT_SIZE];
        char id[UUID_SIZE];
        enum status status;
        bool is_untold; /* job_row_is_untold */
};

/* A walk that may look at many rows for few jobs ends when one of them is reached. 0: no bound. */
struct walk_bounds {
        int64_t rows;
        size_t bytes; /* that a text is looked for in */
        msec until;   /* of clock_mono */
};

/* How far a walk has looked. */
struct walk_reach {
        struct cursor at; /* the last row, or where the walk began */
        int64_t rows;
        size_t bytes;
        bool complete; /* no row is left */
};

/* Begins behind `after`, in its direction. Borrows all; the reader is its own until it ends. */
struct list_walk *list_walk_create(struct reader *r, const struct job_filter *f,
                                   const struct cursor *after, struct err *e) MUST_CHECK;
void list_walk_destroy(struct list_walk **w);
void list_walk_bound(struct list_walk *w, const struct walk_bounds *bounds);
/* 1: filled; 0: there are no more, or a bound was reached; -1. */
int list_walk_next(struct list_walk *w, struct walked_job *out, struct err *e) MUST_CHECK;
void list_walk_reach(const struct list_walk *w, struct walk_reach *out);
