/* SPDX-License-Identifier: Apache-2.0
 *
 * operation_preview.c: counts what a filter matches.
 */
#include "status-store/acts/operation_preview.h"

#include <string.h>

#include "common/base/own.h"

#define LOOK_FOR ((msec)2 * MSEC_SECOND)
enum { ROWS_MAX = 100000, SEARCH_MAX = 128 * 1024 * 1024 };

static void count_tenant(struct operation_preview *p, const char *name)
{
        for (size_t i = 0; i < p->tenant_count; i++) {
                if (strcmp(p->tenants[i].name, name) == 0) {
                        p->tenants[i].count++;
                        return;
                }
        }
        if (p->tenant_count == PREVIEW_TENANTS_MAX) {
                p->of_other_tenants++;
                return;
        }
        struct preview_tenant *t = &p->tenants[p->tenant_count++];
        memcpy(t->name, name, strlen(name) + 1);
        t->count = 1;
}

static void count(struct operation_preview *p, const struct walked_job *job)
{
        p->count++;
        p->by_status[job->status]++;
        count_tenant(p, job->tenant);
        if (p->sampled < PREVIEW_SAMPLE_MAX)
                memcpy(p->sample[p->sampled++], job->id, UUID_SIZE);
}

static int find_last(struct reader *r, int64_t *seq, struct err *e)
{
        AUTO_RESET *last = reader_query(r, "SELECT max(seq) FROM jobs", NULL, e);
        if (db_step(last, e) != 1)
                return -1;
        *seq = sqlite3_column_int64(last, 0);
        return 0;
}

int operation_preview(struct reader *r, const struct job_filter *f, struct operation_preview *out,
                      struct err *e)
{
        const struct walk_bounds bounds = {
                .rows = ROWS_MAX, .bytes = SEARCH_MAX, .until = clock_mono() + LOOK_FOR};
        const struct cursor start = cursor_start(true);
        struct walked_job job;
        int found = 0;
        if (find_last(r, &out->seq_max, e) != 0)
                return -1;
        AUTO(list_walk) walk = list_walk_create(r, f, &start, e);
        if (walk == NULL)
                return -1;
        list_walk_bound(walk, &bounds);
        while ((found = list_walk_next(walk, &job, e)) == 1)
                count(out, &job);
        list_walk_reach(walk, &out->reach);
        return found;
}
