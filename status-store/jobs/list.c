/* SPDX-License-Identifier: Apache-2.0
 *
 * list.c: a page of jobs.
 */
#include "status-store/jobs/list.h"

#include "common/base/json_write.h"
#include "common/base/own.h"
#include "status-store/jobs/job_text.h"
#include "status-store/jobs/list_runs.h"

enum {
        LIST_ROWS_MAX = 50000,               /* rows looked at for one page */
        LIST_BYTES_MAX = 8 * 1024 * 1024,    /* bytes of an answer */
        LIST_SEARCH_MAX = 128 * 1024 * 1024, /* bytes searched for one page */
        LIST_SEARCH_MS = 2000,
};

struct listing {
        struct reader *reader;
        const struct list_query *query;
        struct list_runs *runs;
        struct buffer *out;
        struct cursor at; /* the last row that was looked at */
        int found, seen;
        struct text_search search;
        size_t began;
        msec until;
};

static void listing_fini(struct listing *l)
{
        list_runs_destroy(&l->runs);
}
#define AUTO_LISTING __attribute__((cleanup(listing_fini))) struct listing

static int add_job(struct listing *l, const struct stored_job *job, struct err *e)
{
        int64_t place = job_view_has_payload(&l->query->view) ? job_body_place(&job->row) : -1;
        AUTO_RESET *body =
                place < 0 ? NULL
                          : reader_query(l->reader, payload_sql, DB_VALUES(value_int(place)), e);
        int found = place < 0 ? 0 : db_step(body, e);
        if (found < 0)
                return -1;
        l->found++;
        json_begin_object(l->out, NULL);
        job_json_write(job, found == 1 ? db_bytes(body, 0) : (struct bytes){0}, &l->query->view,
                       l->out);
        json_end(l->out);
        return 0;
}

/* 1, 0; -1: failed. */
static int matches(struct listing *l, const struct stored_job *job, struct err *e)
{
        const struct job_filter *f = &l->query->filter;
        if (!list_runs_are_exact(l->runs) && !job_filter_matches(f, &job->row))
                return 0;
        return f->text == NULL ? 1 : job_text_holds(&l->search, l->reader, job, e);
}

static int look_at(struct listing *l, int64_t seq, struct err *e)
{
        AUTO_RESET *row =
                reader_query(l->reader, "SELECT " JOB_COLUMNS " FROM jobs j WHERE j.seq = ?1",
                             DB_VALUES(value_int(seq)), e);
        int found = db_step(row, e);
        if (found != 1)
                return found;
        AUTO_STORED_JOB job = {0};
        if (stored_job_read(row, &job, e) != 0)
                return -1;
        int wanted = matches(l, &job, e);
        return wanted == 1 ? add_job(l, &job, e) : wanted;
}

static bool is_full(const struct listing *l)
{
        return l->found >= l->query->limit || l->seen >= LIST_ROWS_MAX ||
               l->out->length - l->began >= LIST_BYTES_MAX ||
               l->search.searched >= LIST_SEARCH_MAX ||
               (l->query->filter.text != NULL && l->seen > 0 && clock_mono() >= l->until);
}

static void write_search(const struct listing *l, bool complete)
{
        json_begin_object(l->out, "search");
        json_put_int(l->out, "jobs", l->seen);
        json_put_int(l->out, "bytes", (int64_t)l->search.searched);
        json_put_time(l->out, "until", l->seen > 0 ? l->at.created : 0);
        json_put_flag(l->out, "complete", complete);
        json_end(l->out);
}

static int fill_page(struct listing *l, struct err *e)
{
        struct cursor next;
        l->runs = list_runs_create(l->reader, &l->query->filter, &l->query->after, e);
        if (l->runs == NULL)
                return -1;
        while (list_runs_peek(l->runs, &next) && !is_full(l)) {
                l->at = next;
                l->seen++;
                if (look_at(l, next.seq, e) != 0 || list_runs_pass(l->runs, e) != 0)
                        return -1;
        }
        bool more = list_runs_peek(l->runs, &next);
        char text[CURSOR_SIZE];
        cursor_write(l->seen > 0 ? &l->at : &l->query->after, text);
        json_end_array(l->out);
        json_put_string(l->out, "next_cursor", more ? text : NULL);
        if (l->query->filter.text != NULL)
                write_search(l, !more);
        return 0;
}

int list_write(struct reader *r, const struct list_query *q, struct buffer *out, struct err *e)
{
        AUTO_LISTING l = {.reader = r,
                          .query = q,
                          .out = out,
                          .search = {.text = q->filter.text, .mask = q->view.mask},
                          .began = out->length,
                          .until = clock_mono() + LIST_SEARCH_MS};
        json_begin_array(out, "jobs");
        return fill_page(&l, e);
}
