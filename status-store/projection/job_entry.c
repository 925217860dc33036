/* SPDX-License-Identifier: Apache-2.0
 *
 * job_entry.c: one job of a batch, and when its attempts need rows of their own.
 */
#include "status-store/projection/job_entry.h"

#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"

enum { COMPLETION = 2 }; /* in fold_key.closed */

void job_entry_free(struct job_entry *j)
{
        struct attempt_entry *a, *next_attempt;
        LL_FOREACH_SAFE (j->attempts, a, next_attempt) {
                attempt_row_fini(&a->row);
                free(a);
        }
        struct start_entry *s, *next_start;
        LL_FOREACH_SAFE (j->starts, s, next_start)
                free(s);
        stored_job_fini(&j->job);
        free(j);
}

const char *job_row_key(const struct job_row *row)
{
        const struct job_facts *f = row->shown ? row->facts : NULL;
        while (f != NULL && f->idempotency_key[0] == '\0')
                f = f->next;
        return f != NULL ? f->idempotency_key : NULL;
}

const char *job_row_traceparent(const struct job_row *row)
{
        const struct job_hint *hint = job_row_hint(row);
        return hint != NULL ? hint->traceparent : job_row_facts(row)->traceparent;
}

struct find job_row_find(const struct job_row *row)
{
        return (struct find){.trace = find_of_trace(job_row_traceparent(row)),
                             .key = find_of_key(job_row_facts(row)->idempotency_key)};
}

void job_entry_date(struct job_entry *j, msec first)
{
        job_row_date(&j->job.row, first);
        struct attempt_entry *a;
        LL_FOREACH (j->attempts, a) {
                if (a->row.end.run != 0 && a->row.ended_at == 0)
                        a->row.ended_at = first;
        }
        j->dirty = true;
}

static bool register_takes(const struct fold_key *held, const struct event *e)
{
        struct fold_key key = fold_key_of(e);
        return held->run == 0 || fold_key_compare(held, &key) == 0;
}

/* An end without an attempt (a burial before the first) would overwrite a completed attempt. */
static bool replaces_completion(const struct job_row *row, const struct event *e)
{
        struct fold_key key = fold_key_of(e);
        return row->finish.closed == COMPLETION && key.closed > 0 && e->kind != EVENT_FORGOTTEN &&
               fold_key_compare(&row->finish, &key) < 0;
}

bool job_entry_must_spill(const struct job_entry *j, const struct event *e)
{
        int64_t run = 0;
        int64_t attempt = 0;
        if (j->job.spilled)
                return false;
        if (!event_attempt(e, &run, &attempt))
                return replaces_completion(&j->job.row, e);
        if (run != 1 || attempt != 1)
                return true;
        if (e->kind == EVENT_STARTED)
                return e->redelivered || !register_takes(&j->job.row.start, e);
        return e->kind != EVENT_COMPLETED || !register_takes(&j->job.row.finish, e);
}

bool attempt_of_row(const struct job_row *row, struct attempt_row *a)
{
        bool completed = row->finish.closed == COMPLETION;
        if (row->start.run == 0 && !completed)
                return false;
        const struct fold_key *known = row->start.run != 0 ? &row->start : &row->finish;
        a->run = known->run;
        a->attempt = known->attempt;
        a->start = row->start;
        a->started_at = row->started_at;
        memcpy(a->worker, row->worker, sizeof(a->worker));
        if (completed) {
                a->end = row->finish;
                a->ended_at = row->finished_at;
                a->outcome = ATTEMPT_COMPLETED;
        }
        return true;
}

struct start *job_entry_add_start(struct job_entry *j)
{
        struct start_entry *s = xcalloc(1, sizeof(*s));
        LL_PREPEND(j->starts, s);
        return &s->start;
}

void job_entry_spill(struct job_entry *j)
{
        const struct job_row *row = &j->job.row;
        struct attempt_row first = {0};
        j->job.spilled = true;
        j->dirty = true;
        j->attempts_loaded = true;
        if (!attempt_of_row(row, &first))
                return;
        struct attempt_entry *a = job_entry_attempt(j, first.run, first.attempt);
        a->row = first;
        a->dirty = true;
        if (row->start.run == 0)
                return;
        struct start *s = job_entry_add_start(j);
        *s = (struct start){.run = row->start.run,
                            .attempt = row->start.attempt,
                            .digest = row->start.digest,
                            .at = row->started_at};
        memcpy(s->worker, row->worker, sizeof(s->worker));
}

struct attempt_entry *job_entry_attempt(struct job_entry *j, int64_t run, int64_t attempt)
{
        struct attempt_entry *a;
        LL_FOREACH (j->attempts, a) {
                if (a->row.run == run && a->row.attempt == attempt)
                        return a;
        }
        a = xcalloc(1, sizeof(*a));
        a->row.run = run;
        a->row.attempt = attempt;
        LL_PREPEND(j->attempts, a);
        return a;
}
