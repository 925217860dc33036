/* SPDX-License-Identifier: Apache-2.0
 *
 * list_walk.c: the jobs of a filter, one by one.
 */
#include "status-store/list_walk.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/job_text.h"
#include "status-store/list_runs.h"

struct list_walk {
        struct reader *reader;
        const struct job_filter *filter;
        struct list_runs *runs;
};

struct list_walk *list_walk_create(struct reader *r, const struct job_filter *f,
                                   const struct cursor *after, struct err *e)
{
        AUTO(list_walk) w = xcalloc(1, sizeof(*w));
        w->reader = r;
        w->filter = f;
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
        struct text_search search = {.text = w->filter->text};
        return search.text == NULL ? 1 : job_text_holds(&search, w->reader, &job, e);
}

int list_walk_next(struct list_walk *w, struct walked_job *out, struct err *e)
{
        int found = 0;
        while (found == 0 && list_runs_peek(w->runs, &out->at)) {
                found = look_at(w, out, e);
                if (found < 0 || list_runs_pass(w->runs, e) != 0)
                        return -1;
        }
        return found;
}
