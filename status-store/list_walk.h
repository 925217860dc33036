/* SPDX-License-Identifier: Apache-2.0
 *
 * list_walk.h: the jobs that a filter matches, in the order of lists: by created, then seq.
 */
#pragma once

#include "common/db/readers.h"
#include "status-store/cursor.h"
#include "status-store/job_filter.h"

struct list_walk;

struct walked_job {
        struct cursor at; /* where a later walk goes on behind it; at.seq is the row's */
        char tenant[TENANT_SIZE];
        char id[UUID_SIZE];
};

/* Begins behind `after`, in its direction. Borrows all; the reader is its own until it ends. */
struct list_walk *list_walk_create(struct reader *r, const struct job_filter *f,
                                   const struct cursor *after, struct err *e) MUST_CHECK;
void list_walk_destroy(struct list_walk **w);
/* 1: filled; 0: there are no more; -1. */
int list_walk_next(struct list_walk *w, struct walked_job *out, struct err *e) MUST_CHECK;
