/* SPDX-License-Identifier: Apache-2.0
 *
 * count.c: counts from table `counts`, or index entries when there is a time.
 */
#include "status-store/jobs/count.h"

#include "common/base/json_write.h"
#include "status-store/jobs/job_runs.h"

static int count_run(struct reader *r, const struct job_runs *runs, size_t at,
                     const struct run_part *part, struct err *e)
{
        AUTO_RESET *number = job_run_count(r, runs->kind, &runs->all[at], part, e);
        return db_step(number, e) == 1 ? sqlite3_column_int(number, 0) : -1;
}

int count_jobs(struct reader *r, const struct job_filter *f, int64_t *out, struct err *e)
{
        AUTO_RUNS runs = {0};
        *out = -1;
        if (f->text != NULL)
                return 0;
        if (job_runs_find(r, f, &runs, e) != 0)
                return -1;
        bool timed = f->created_after > 0 || f->created_before > 0;
        if (!timed)
                *out = runs.jobs <= COUNT_MAX ? runs.jobs : COUNT_MAX + 1;
        if (!timed || !runs.exact)
                return 0;
        const struct cursor start = cursor_start(true);
        struct run_part part = {.after = job_filter_begin(f, &start),
                                .end = job_filter_end(f, true),
                                .limit = COUNT_MAX + 1};
        for (size_t i = 0; i < runs.count && part.limit > 0; i++) {
                int n = count_run(r, &runs, i, &part, e);
                if (n < 0)
                        return -1;
                part.limit -= n;
        }
        *out = COUNT_MAX + 1 - part.limit;
        return 0;
}

int count_write(struct reader *r, const struct job_filter *f, struct buffer *out, struct err *e)
{
        int64_t n = -1;
        if (count_jobs(r, f, &n, e) != 0)
                return -1;
        if (n < 0)
                json_put_null(out, "count");
        else
                json_put_int(out, "count", n <= COUNT_MAX ? n : COUNT_MAX);
        json_put_flag(out, "count_is_capped", n > COUNT_MAX);
        return 0;
}
