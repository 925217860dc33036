/* SPDX-License-Identifier: Apache-2.0
 *
 * list_walk.c: the jobs of a filter, one by one.
 */
#include "status-store/jobs/list_walk.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/jobs/job_text.h"
#include "status-store/jobs/list_runs.h"

struct list_walk {
        struct reader *reader;
        const struct job_filter *filter;
        struct list_runs *runs;
        struct walk_bounds bounds;
        struct text_search search;
        struct cursor at; /* the last row that was looked at */
        int64_t rows;
};

struct list_walk *list_walk_create(struct reader *r, const struct job_filter *f,
                                   const struct cursor *after, struct err *e)
{
        AUTO(list_walk) w = xcalloc(1, sizeof(*w));
        w->reader = r;
        w->filter = f;
        w->search.text = f->text;
        w->at = *after;
        w->runs = list_runs_create(r, f, after, e);
        return w->runs == NULL ? NULL : TAKE(w);
}

void list_walk_destroy(struct list_walk **w)
{
        if (*w == NULL)
                return;
        list_runs_destroy(&(*w)->runs);
        free(*w);
        *w = NULL;
}

/* 1: it matches, out is filled; 0: it does not; -1. */
static int look_at(struct list_walk *w, struct walked_job *out, struct err *e)
{
        AUTO_RESET *row =
                reader_query(w->reader, "SELECT " JOB_COLUMNS " FROM jobs j WHERE j.seq = ?1",
                             DB_VALUES(value_int(out->at.seq)), e);
        AUTO_STORED_JOB job = {0};
        int found = db_step(row, e);
        if (found != 1)
                return found;
        if (stored_job_read(row, &job, e) != 0)
                return -1;
        if (!list_runs_are_exact(w->runs) && !job_filter_matches(w->filter, &job.row))
                return 0;
        memcpy(out->tenant, job.row.tenant, sizeof(out->tenant));
        memcpy(out->id, job.row.id, sizeof(out->id));
        out->status = job.row.status;
        out->is_untold = job_row_is_untold(&job.row);
        return w->search.text == NULL ? 1 : job_text_holds(&w->search, w->reader, &job, e);
}

void list_walk_bound(struct list_walk *w, const struct walk_bounds *bounds)
{
        w->bounds = *bounds;
}

/* At least one row is looked at, so that a walk that goes on later gets ahead. */
static bool is_at_bound(const struct list_walk *w)
{
        const struct walk_bounds *b = &w->bounds;
        if (w->rows == 0)
                return false;
        return (b->rows > 0 && w->rows >= b->rows) ||
               (b->bytes > 0 && w->search.searched >= b->bytes) ||
               (b->until > 0 && clock_mono() >= b->until);
}

int list_walk_next(struct list_walk *w, struct walked_job *out, struct err *e)
{
        int found = 0;
        while (found == 0 && !is_at_bound(w) && list_runs_peek(w->runs, &out->at)) {
                w->at = out->at;
                w->rows++;
                found = look_at(w, out, e);
                if (found < 0 || list_runs_pass(w->runs, e) != 0)
                        return -1;
        }
        return found;
}

void list_walk_reach(const struct list_walk *w, struct walk_reach *out)
{
        struct cursor next;
        *out = (struct walk_reach){.at = w->at, .rows = w->rows, .bytes = w->search.searched};
        out->complete = !list_runs_peek(w->runs, &next);
}
