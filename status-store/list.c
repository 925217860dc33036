/* SPDX-License-Identifier: Apache-2.0
 *
 * list.c: a page of jobs. The index (tenant, state, created) gives one sorted run of rows for each
 * tenant and state that has any; a page is their merge.
 */
#include "status-store/list.h"

#include <string.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/job_json.h"

enum {
        LIST_ROWS_MAX = 50000,               /* looked at for one page */
        LIST_BYTES_MAX = 8 * 1024 * 1024,    /* of an answer */
        LIST_SEARCH_MAX = 128 * 1024 * 1024, /* payload bytes searched for one page */
};

struct run_key {
        int64_t tenant, state;
};

/* One sorted run of rows. */
struct run {
        struct run_key key;
        sqlite3_stmt *rows;
        msec created;
        int64_t seq;
        bool live;
        UT_hash_handle hh;
};

struct listing {
        struct reader *reader;
        const struct list_query *query;
        struct buffer *out;
        struct run *runs;
        struct cursor at;
        int found, seen;
        size_t searched, began;
};

static void listing_fini(struct listing *l)
{
        struct run *one, *next;
        HASH_ITER (hh, l->runs, one, next) {
                HASH_DEL(l->runs, one);
                db_finalize(&one->rows);
                free(one);
        }
}

static int run_step(struct run *one, struct err *e)
{
        int more = db_step(one->rows, e);
        one->live = more == 1;
        if (one->live) {
                one->created = sqlite3_column_int64(one->rows, 0);
                one->seq = sqlite3_column_int64(one->rows, 1);
        }
        return more < 0 ? -1 : 0;
}

static const char *const descending_sql =
        "SELECT created, seq FROM jobs WHERE tenant = ?1 AND state = ?2 AND"
        " (created, seq) < (?3, ?4) AND created > ?5 ORDER BY created DESC, seq DESC";
static const char *const ascending_sql =
        "SELECT created, seq FROM jobs WHERE tenant = ?1 AND state = ?2 AND"
        " (created, seq) > (?3, ?4) AND created < ?5 ORDER BY created, seq";

/* Where the page begins, exclusive, and where it must end. */
static void run_bind(struct run *one, const struct list_query *q)
{
        msec before = q->created_before > 0 ? q->created_before : INT64_MAX;
        msec after = q->created_after > 0 ? q->created_after : -1;
        struct cursor from = q->ascending ? (struct cursor){.created = after, .seq = INT64_MAX}
                                          : (struct cursor){.created = before, .seq = -1};
        if (q->resumes) {
                bool inside = q->ascending ? q->cursor.created > after : q->cursor.created < before;
                if (inside)
                        from = q->cursor;
        }
        db_bind_int(one->rows, 1, one->key.tenant);
        db_bind_int(one->rows, 2, one->key.state);
        db_bind_int(one->rows, 3, from.created);
        db_bind_int(one->rows, 4, from.seq);
        db_bind_int(one->rows, 5, q->ascending ? before : after);
}

static int run_open(struct listing *l, struct run_key key, struct err *e)
{
        struct run *one = NULL;
        HASH_FIND(hh, l->runs, &key, sizeof(key), one);
        if (one != NULL)
                return 0;
        one = xcalloc(1, sizeof(*one));
        one->key = key;
        HASH_ADD(hh, l->runs, key, sizeof(one->key), one);
        one->rows = db_prepare(reader_db(l->reader),
                               l->query->ascending ? ascending_sql : descending_sql, e);
        if (one->rows == NULL)
                return -1;
        run_bind(one, l->query);
        return run_step(one, e);
}

/* The counts say which runs can hold a row that matches. */
static int open_runs(struct listing *l, struct err *e)
{
        const struct list_query *q = l->query;
        AUTO_RESET *counts = reader_query(l->reader, QUERY_COUNTS, e);
        if (counts == NULL)
                return -1;
        db_bind_text(counts, 1, q->tenant);
        int more = 0;
        while ((more = db_step(counts, e)) == 1) {
                struct run_key key = {sqlite3_column_int64(counts, 0),
                                      sqlite3_column_int64(counts, 3)};
                bool typed = q->type == NULL || bytes_equal_text(db_bytes(counts, 2), q->type);
                bool stated = q->status < 0 || key.state == q->status;
                if (key.state != STATE_HIDDEN && typed && stated && run_open(l, key, e) != 0)
                        return -1;
        }
        return more;
}

static struct run *next_run(struct listing *l)
{
        struct run *best = NULL;
        for (struct run *one = l->runs; one != NULL; one = one->hh.next) {
                if (!one->live)
                        continue;
                bool less = best == NULL || one->created < best->created ||
                            (one->created == best->created && one->seq < best->seq);
                if (best == NULL || less == l->query->ascending)
                        best = one;
        }
        return best;
}

static bool holds(struct bytes text, const char *wanted)
{
        return text.length > 0 && memmem(text.data, text.length, wanted, strlen(wanted)) != NULL;
}

static bool matches(struct listing *l, const struct stored_job *job, struct bytes payload)
{
        const struct list_query *q = l->query;
        if (q->type != NULL && strcmp(job->row.type, q->type) != 0)
                return false;
        if (q->priority >= 0 && (int)job->row.priority != q->priority)
                return false;
        if (q->text == NULL)
                return true;
        l->searched += payload.length;
        return holds(payload, q->text) || holds(buffer_bytes(&job->row.error), q->text);
}

static int add_job(struct listing *l, const struct stored_job *job, struct err *e)
{
        AUTO_RESET *body = reader_query(l->reader, QUERY_PAYLOAD, e);
        if (body == NULL)
                return -1;
        db_bind_int(body, 1, job->seq);
        int found = db_step(body, e);
        if (found < 0)
                return -1;
        struct bytes payload = found == 1 ? db_bytes(body, 0) : (struct bytes){0};
        if (!matches(l, job, payload))
                return 0;
        buffer_add_text(l->out, l->found++ > 0 ? ",{" : "{");
        job_json_write(job, payload, l->out);
        buffer_add_char(l->out, '}');
        return 0;
}

static int look_at(struct listing *l, int64_t seq, struct err *e)
{
        AUTO_RESET *row = reader_query(l->reader, QUERY_JOB_OF_SEQ, e);
        if (row == NULL)
                return -1;
        db_bind_int(row, 1, seq);
        int found = db_step(row, e);
        if (found != 1)
                return found;
        struct stored_job job = {0};
        int done = stored_job_read(row, &job, e);
        if (done == 0)
                done = add_job(l, &job, e);
        stored_job_fini(&job);
        return done;
}

static bool is_full(const struct listing *l)
{
        return l->found >= l->query->limit || l->seen >= LIST_ROWS_MAX ||
               l->out->length - l->began >= LIST_BYTES_MAX || l->searched >= LIST_SEARCH_MAX;
}

static int fill_page(struct listing *l, struct err *e)
{
        if (open_runs(l, e) != 0)
                return -1;
        struct run *one = next_run(l);
        for (; one != NULL && !is_full(l); one = next_run(l)) {
                l->at = (struct cursor){
                        .ascending = l->query->ascending, .created = one->created, .seq = one->seq};
                l->seen++;
                if (look_at(l, one->seq, e) != 0 || run_step(one, e) != 0)
                        return -1;
        }
        buffer_add_text(l->out, "],\"next_cursor\":");
        char text[CURSOR_SIZE];
        if (one != NULL) {
                cursor_write(&l->at, text);
                buffer_printf(l->out, "\"%s\"", text);
        } else {
                buffer_add_text(l->out, "null");
        }
        return 0;
}

int list_write(struct reader *r, const struct list_query *q, struct buffer *out, struct err *e)
{
        struct listing l = {.reader = r, .query = q, .out = out, .began = out->length};
        buffer_add_text(out, "\"jobs\":[");
        int done = fill_page(&l, e);
        listing_fini(&l);
        return done;
}
