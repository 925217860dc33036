/* SPDX-License-Identifier: Apache-2.0
 *
 * list_runs.c: merges runs by a heap.
 */
#include "status-store/jobs/list_runs.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"

/* Rows of a run read at once: most runs of a page give one row or none, so the first chunk is
 * small. */
enum { CHUNK_FIRST = 1, CHUNK_GROWTH = 4, CHUNK_MAX = 16 };

struct run {
        struct job_run of;
        struct place {
                msec created;
                int64_t seq;
        } rows[CHUNK_MAX];
        int at, count, chunk;
};

struct list_runs {
        struct reader *reader;
        enum run_kind kind;
        bool ascending, exact;
        msec end;
        struct run **heap; /* runs with rows left, the next row's on top */
        size_t count, room;
};

void list_runs_destroy(struct list_runs **l)
{
        if (*l == NULL)
                return;
        for (size_t i = 0; i < (*l)->count; i++)
                free((*l)->heap[i]);
        free((*l)->heap);
        free(*l);
        *l = NULL;
}

static struct cursor row_of(const struct list_runs *l, const struct run *run)
{
        const struct place *p = &run->rows[run->at];
        return (struct cursor){l->ascending, p->created, p->seq};
}

static bool run_precedes(const struct list_runs *l, const struct run *a, const struct run *b)
{
        const struct cursor x = row_of(l, a);
        const struct cursor y = row_of(l, b);
        return cursor_precedes(&x, &y);
}

static void swap_runs(struct list_runs *l, size_t a, size_t b)
{
        struct run *kept = l->heap[a];
        l->heap[a] = l->heap[b];
        l->heap[b] = kept;
}

static void heap_add(struct list_runs *l, struct run *one)
{
        if (l->count == l->room) {
                l->room = l->room * 2 + 16;
                l->heap = xrealloc(l->heap, l->room * sizeof(struct run *));
        }
        size_t i = l->count++;
        l->heap[i] = one;
        for (; i > 0 && run_precedes(l, l->heap[i], l->heap[(i - 1) / 2]); i = (i - 1) / 2)
                swap_runs(l, i, (i - 1) / 2);
}

static void heap_sink_top(struct list_runs *l)
{
        size_t i = 0;
        for (;;) {
                size_t best = i;
                for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < l->count; child++)
                        if (run_precedes(l, l->heap[child], l->heap[best]))
                                best = child;
                if (best == i)
                        return;
                swap_runs(l, i, best);
                i = best;
        }
}

/* Reads the run's rows behind `after`. count is 0 when there are none. */
static int run_fill(struct list_runs *l, struct run *one, const struct cursor *after, struct err *e)
{
        one->chunk = one->chunk == 0 ? CHUNK_FIRST : one->chunk * CHUNK_GROWTH;
        if (one->chunk > CHUNK_MAX)
                one->chunk = CHUNK_MAX;
        const struct run_part part = {.after = *after, .end = l->end, .limit = one->chunk};
        AUTO_RESET *rows = job_run_query(l->reader, l->kind, &one->of, &part, e);
        one->at = one->count = 0;
        int more = 0;
        while (one->count < one->chunk && (more = db_step(rows, e)) == 1)
                one->rows[one->count++] = (struct place){sqlite3_column_int64(rows, 0),
                                                         sqlite3_column_int64(rows, 1)};
        return more < 0 ? -1 : 0;
}

static int open_run(struct list_runs *l, const struct job_run *run, const struct cursor *after,
                    struct err *e)
{
        AUTO_FREE struct run *one = xcalloc(1, sizeof(*one));
        one->of = *run;
        if (run_fill(l, one, after, e) != 0)
                return -1;
        if (one->count > 0)
                heap_add(l, TAKE(one));
        return 0;
}

struct list_runs *list_runs_create(struct reader *r, const struct job_filter *f,
                                   const struct cursor *after, struct err *e)
{
        AUTO(list_runs) l = xcalloc(1, sizeof(*l));
        AUTO_RUNS named = {0};
        const struct cursor begin = job_filter_begin(f, after);
        l->reader = r;
        l->ascending = after->ascending;
        l->end = job_filter_end(f, after->ascending);
        if (job_runs_find(r, f, &named, e) != 0)
                return NULL;
        l->kind = named.kind;
        l->exact = named.exact;
        for (size_t i = 0; i < named.count; i++)
                if (open_run(l, &named.all[i], &begin, e) != 0)
                        return NULL;
        return TAKE(l);
}

bool list_runs_peek(const struct list_runs *l, struct cursor *out)
{
        if (l->count > 0)
                *out = row_of(l, l->heap[0]);
        return l->count > 0;
}

int list_runs_pass(struct list_runs *l, struct err *e)
{
        struct run *top = l->heap[0];
        const struct cursor last = row_of(l, top);
        top->at++;
        if (top->at == top->count && top->count == top->chunk && run_fill(l, top, &last, e) != 0)
                return -1;
        if (top->at == top->count) {
                free(top);
                l->heap[0] = l->heap[--l->count];
        }
        heap_sink_top(l);
        return 0;
}

bool list_runs_are_exact(const struct list_runs *l)
{
        return l->exact;
}
