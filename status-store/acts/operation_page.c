/* SPDX-License-Identifier: Apache-2.0
 *
 * operation_page.c: a page of an operation.
 */
#include "status-store/acts/operation_page.h"

#include <stdio.h>
#include <string.h>

#include "common/base/own.h"

/* Of one page: a reader must be given back soon. */
#define LOOK_FOR ((msec)MSEC_SECOND)
enum { ROWS_MAX = 20000, SEARCH_MAX = 64 * 1024 * 1024 };

void page_filter_fini(struct page_filter *f)
{
        buffer_fini(&f->text);
}

int page_filter_read(struct page_filter *f, const struct operation *o, struct err *e)
{
        if (operation_filter_read(o->filter, &f->filter, &f->text, e) != 0)
                return -1;
        if (f->filter.created_before == 0 || f->filter.created_before > o->before)
                f->filter.created_before = o->before;
        return 0;
}

void operation_by(const struct operation *o, char out[ACT_BY_SIZE])
{
        snprintf(out, ACT_BY_SIZE, "operation %s", o->id);
}

static bool is_there(const struct operation_page *p, const char *id)
{
        for (size_t i = 0; i < p->acts.count; i++)
                if (strcmp(p->all[i].id, id) == 0)
                        return true;
        return false;
}

static void add_act(struct operation_page *p, const struct operation *o,
                    const struct walked_job *job)
{
        struct act *act = &p->all[p->acts.count++];
        *act = (struct act){
                .kind = operation_act(o->kind), .priority = -1, .marked = o->bulk != BULK_NONE};
        memcpy(act->tenant, job->tenant, sizeof(act->tenant));
        memcpy(act->id, job->id, sizeof(act->id));
        operation_by(o, act->by);
}

/* A consumer may have ended a job by the bulk mark before its turn came. */
static bool is_wanted(const struct operation *o, const struct walked_job *job)
{
        bool came_after = o->bulk == BULK_NONE && o->seq_max > 0 && job->at.seq > o->seq_max;
        return !came_after && (job->status != STATUS_CANCELLED || job->is_untold);
}

/* Two tenants may have jobs of one id; a page has an id once. */
static int collect(struct operation_page *p, struct list_walk *walk, const struct operation *o,
                   struct cursor *after, struct err *e)
{
        struct walked_job job;
        struct walk_reach reach;
        bool full = false;
        int found = 0;
        while (p->acts.count < ACTS_PAGE_MAX && (found = list_walk_next(walk, &job, e)) == 1) {
                if (!is_wanted(o, &job))
                        continue;
                full = is_there(p, job.id);
                if (full)
                        break;
                add_act(p, o, &job);
                *after = job.at;
        }
        if (found < 0)
                return -1;
        list_walk_reach(walk, &reach);
        p->step.looked = reach.rows;
        if (!full)
                *after = reach.at;
        p->is_last = reach.complete && p->acts.count == 0;
        return 0;
}

int operation_page_fill(struct operation_page *p, struct readers *readers,
                        const struct operation *o, struct err *e)
{
        const struct walk_bounds bounds = {
                .rows = ROWS_MAX, .bytes = SEARCH_MAX, .until = clock_mono() + LOOK_FOR};
        struct cursor after = cursor_start(true);
        AUTO_PAGE_FILTER f = {.filter = {.tenant = o->tenant}};
        if (page_filter_read(&f, o, e) != 0)
                return -1;
        if (o->bulk != BULK_NONE)
                f.filter.statuses |= 1u << STATUS_CANCELLED;
        if (o->cursor[0] != '\0' && !cursor_read(o->cursor, &after))
                return err_set(e, ERR_CORRUPT, "a place in the registry cannot be read");
        p->filter = f.filter;
        p->filter.text = NULL;
        p->acts = (struct acts_page){.acts = p->all};
        p->step = (struct operation_step){.id = o->id, .cursor = p->cursor};
        AUTO_READER *reader = readers_take(readers, e);
        if (reader == NULL)
                return -1;
        AUTO(list_walk) walk = list_walk_create(reader, &f.filter, &after, e);
        if (walk == NULL)
                return -1;
        list_walk_bound(walk, &bounds);
        if (collect(p, walk, o, &after, e) != 0)
                return -1;
        cursor_write(&after, p->cursor);
        return 0;
}

static bool still_matches(const void *owner, const struct job_row *row)
{
        const struct operation_page *p = owner;
        return job_filter_matches(&p->filter, row);
}

static int note(struct database *db, void *owner, struct err *e)
{
        struct operation_page *p = owner;
        p->step.done = (int64_t)p->acts.done;
        p->step.skipped = (int64_t)p->acts.skipped;
        p->step.failed = (int64_t)p->acts.failed;
        p->step.error = p->acts.why;
        return operation_note_step(db, &p->step, e);
}

int operation_page_apply(struct operation_page *p, struct acts *acts, struct registry *registry,
                         struct err *e)
{
        p->acts.progress = note;
        p->acts.wanted = still_matches;
        p->acts.owner = p;
        int done = p->acts.count > 0 ? acts_apply_page(acts, &p->acts, e)
                                     : registry_note_step(registry, &p->step, e);
        p->is_noted = p->acts.count > 0 ? p->acts.begun : done == 0;
        return done;
}
