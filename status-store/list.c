/* SPDX-License-Identifier: Apache-2.0
 *
 * list.c: a page of jobs. The index (tenant, state, created) gives one sorted run of rows for each
 * tenant and state that has any; a page is their merge. Runs are read by chunks with one prepared
 * statement, so that a listing over all tenants costs a seek and a few rows for each.
 */
#include "status-store/list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "status-store/job_json.h"

enum {
        LIST_ROWS_MAX = 50000,               /* rows read for one page */
        LIST_BYTES_MAX = 8 * 1024 * 1024,    /* bytes of an answer */
        LIST_SEARCH_MAX = 128 * 1024 * 1024, /* payload bytes searched for one page */
};

void cursor_write(const struct cursor *c, char out[CURSOR_SIZE])
{
        int length = snprintf(out, CURSOR_SIZE, "%c%016" PRIx64 "%016" PRIx64,
                              c->ascending ? 'a' : 'd', (uint64_t)c->created, (uint64_t)c->seq);
        uint64_t check = bytes_hash(bytes_of(out, (size_t)length));
        snprintf(out + length, CURSOR_SIZE - (size_t)length, "%08" PRIx32, (uint32_t)check);
}

static uint64_t hex_at(const char *text)
{
        char digits[17];
        memcpy(digits, text, 16);
        digits[16] = '\0';
        return strtoull(digits, NULL, 16);
}

bool cursor_read(const char *text, struct cursor *c)
{
        if (strlen(text) != CURSOR_SIZE - 1)
                return false;
        *c = (struct cursor){.ascending = text[0] == 'a',
                             .created = (msec)hex_at(text + 1),
                             .seq = (int64_t)hex_at(text + 17)};
        /* Bad digits or a bad checksum make this text differ. */
        char again[CURSOR_SIZE];
        cursor_write(c, again);
        return strcmp(again, text) == 0;
}

enum { CHUNK = 16 }; /* rows of a run read at once */

/* One sorted run of rows, read by chunks. */
struct run {
        int64_t tenant, state;
        struct place {
                msec created;
                int64_t seq;
        } rows[CHUNK];
        int at, count;
};

struct listing {
        struct reader *reader;
        const struct list_query *query;
        struct buffer *out;
        struct run **runs; /* runs with rows left: a heap, with the page's next row on top */
        size_t run_count, run_room;
        struct cursor at;
        int found, seen;
        size_t searched, began;
};

static void listing_fini(struct listing *l)
{
        for (size_t i = 0; i < l->run_count; i++)
                free(l->runs[i]);
        free(l->runs);
}

static bool run_precedes(const struct listing *l, const struct run *a, const struct run *b)
{
        const struct place *x = &a->rows[a->at];
        const struct place *y = &b->rows[b->at];
        bool less = x->created < y->created || (x->created == y->created && x->seq < y->seq);
        return less == l->query->ascending;
}

static void swap_runs(struct listing *l, size_t a, size_t b)
{
        struct run *kept = l->runs[a];
        l->runs[a] = l->runs[b];
        l->runs[b] = kept;
}

static void heap_add(struct listing *l, struct run *one)
{
        if (l->run_count == l->run_room) {
                l->run_room = l->run_room * 2 + 16;
                l->runs = xrealloc(l->runs, l->run_room * sizeof(struct run *));
        }
        size_t i = l->run_count++;
        l->runs[i] = one;
        for (; i > 0 && run_precedes(l, l->runs[i], l->runs[(i - 1) / 2]); i = (i - 1) / 2)
                swap_runs(l, i, (i - 1) / 2);
}

static void heap_sink_top(struct listing *l)
{
        size_t i = 0;
        for (;;) {
                size_t best = i;
                for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < l->run_count; child++)
                        if (run_precedes(l, l->runs[child], l->runs[best]))
                                best = child;
                if (best == i)
                        return;
                swap_runs(l, i, best);
                i = best;
        }
}

/* Where the page begins, exclusive. */
static struct place page_start(const struct list_query *q)
{
        msec before = q->created_before > 0 ? q->created_before : INT64_MAX;
        msec after = q->created_after > 0 ? q->created_after : -1;
        bool inside = q->ascending ? q->cursor.created > after : q->cursor.created < before;
        if (q->resumes && inside)
                return (struct place){q->cursor.created, q->cursor.seq};
        return q->ascending ? (struct place){after, INT64_MAX} : (struct place){before, -1};
}

static msec page_end(const struct list_query *q)
{
        if (q->ascending)
                return q->created_before > 0 ? q->created_before : INT64_MAX;
        return q->created_after > 0 ? q->created_after : -1;
}

/* Rows created after (before) a row and before (after) a time, in that order. */
static const char run_up_sql[] =
        "SELECT created, seq FROM jobs WHERE tenant = ?1 AND state = ?2 AND"
        " (created, seq) > (?3, ?4) AND created < ?5"
        " ORDER BY created, seq LIMIT ?6";
static const char run_down_sql[] =
        "SELECT created, seq FROM jobs WHERE tenant = ?1 AND state = ?2 AND"
        " (created, seq) < (?3, ?4) AND created > ?5"
        " ORDER BY created DESC, seq DESC LIMIT ?6";

/* Reads the run's rows after `after`. count is 0 when there are none. */
static int run_fill(struct listing *l, struct run *one, struct place after, struct err *e)
{
        const struct list_query *q = l->query;
        AUTO_RESET *rows = reader_query(l->reader, q->ascending ? run_up_sql : run_down_sql,
                                        DB_VALUES(value_int(one->tenant), value_int(one->state),
                                                  value_int(after.created), value_int(after.seq),
                                                  value_int(page_end(q)), value_int(CHUNK)),
                                        e);
        one->at = one->count = 0;
        int more = 0;
        while (one->count < CHUNK && (more = db_step(rows, e)) == 1)
                one->rows[one->count++] = (struct place){sqlite3_column_int64(rows, 0),
                                                         sqlite3_column_int64(rows, 1)};
        return more < 0 ? -1 : 0;
}

/* Moves past the row on top. */
static int step_top(struct listing *l, struct err *e)
{
        struct run *top = l->runs[0];
        struct place last = top->rows[top->at++];
        if (top->at == top->count && top->count == CHUNK && run_fill(l, top, last, e) != 0)
                return -1;
        if (top->at == top->count) {
                free(top);
                l->runs[0] = l->runs[--l->run_count];
        }
        heap_sink_top(l);
        return 0;
}

static int open_run(struct listing *l, int64_t tenant, int64_t state, struct err *e)
{
        if (l->query->status >= 0 && l->query->status != state)
                return 0;
        AUTO_FREE struct run *one = xcalloc(1, sizeof(*one));
        one->tenant = tenant;
        one->state = state;
        if (run_fill(l, one, page_start(l->query), e) != 0)
                return -1;
        if (one->count > 0)
                heap_add(l, TAKE(one));
        return 0;
}

/* The counts say in which states the tenant has jobs of the type. */
static int open_typed(struct listing *l, int64_t tenant, struct err *e)
{
        AUTO_RESET *states =
                reader_query(l->reader,
                             "SELECT DISTINCT shelf / 8 FROM counts WHERE tenant = ?1 AND n > 0 AND"
                             " type = (SELECT ref FROM names WHERE name = ?2)",
                             DB_VALUES(value_int(tenant), value_text(l->query->type)), e);
        int more = 0;
        while ((more = db_step(states, e)) == 1) {
                int64_t state = sqlite3_column_int64(states, 0);
                if (state != STATE_HIDDEN && open_run(l, tenant, state, e) != 0)
                        return -1;
        }
        return more;
}

static int open_runs(struct listing *l, struct err *e)
{
        AUTO_RESET *tenants =
                reader_query(l->reader,
                             "WITH RECURSIVE t(ref) AS ("
                             "SELECT min(tenant) FROM jobs WHERE ?1 = '*' UNION ALL"
                             " SELECT (SELECT min(tenant) FROM jobs WHERE tenant > ref)"
                             " FROM t WHERE ref IS NOT NULL)"
                             " SELECT ref FROM t WHERE ref IS NOT NULL"
                             " UNION ALL SELECT ref FROM names WHERE name = ?1",
                             DB_VALUES(value_text(l->query->tenant)), e);
        int more = 0;
        while ((more = db_step(tenants, e)) == 1) {
                int64_t tenant = sqlite3_column_int64(tenants, 0);
                if (l->query->type != NULL && open_typed(l, tenant, e) != 0)
                        return -1;
                for (int s = 0; l->query->type == NULL && s < STATUS_COUNT; s++)
                        if (open_run(l, tenant, s, e) != 0)
                                return -1;
        }
        return more;
}

static bool holds(struct bytes text, const char *wanted)
{
        return text.length > 0 && memmem(text.data, text.length, wanted, strlen(wanted)) != NULL;
}

static bool matches(struct listing *l, const struct stored_job *job, struct bytes payload)
{
        const struct list_query *q = l->query;
        if (q->type != NULL && strcmp(job_row_type(&job->row), q->type) != 0)
                return false;
        if (q->priority >= 0 && job_row_priority(&job->row) != q->priority)
                return false;
        if (q->text == NULL)
                return true;
        l->searched += payload.length;
        return holds(payload, q->text) || holds(buffer_bytes(&job->row.error), q->text);
}

static int add_job(struct listing *l, const struct stored_job *job, struct err *e)
{
        AUTO_RESET *body = reader_query(l->reader, payload_sql,
                                        DB_VALUES(value_int(job_body_place(&job->row))), e);
        int found = db_step(body, e);
        if (found < 0)
                return -1;
        struct bytes payload = found == 1 ? db_bytes(body, 0) : (struct bytes){0};
        if (!matches(l, job, payload))
                return 0;
        l->found++;
        json_begin_object(l->out, NULL);
        job_json_write(job, payload, l->out);
        json_end(l->out);
        return 0;
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
        return stored_job_read(row, &job, e) != 0 ? -1 : add_job(l, &job, e);
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
        while (l->run_count > 0 && !is_full(l)) {
                const struct place *next = &l->runs[0]->rows[l->runs[0]->at];
                l->at = (struct cursor){.ascending = l->query->ascending,
                                        .created = next->created,
                                        .seq = next->seq};
                l->seen++;
                if (look_at(l, next->seq, e) != 0 || step_top(l, e) != 0)
                        return -1;
        }
        char text[CURSOR_SIZE];
        if (l->run_count > 0)
                cursor_write(&l->at, text);
        json_end_array(l->out);
        json_put_string(l->out, "next_cursor", l->run_count > 0 ? text : NULL);
        return 0;
}

int list_write(struct reader *r, const struct list_query *q, struct buffer *out, struct err *e)
{
        struct listing l = {.reader = r, .query = q, .out = out, .began = out->length};
        json_begin_array(out, "jobs");
        int done = fill_page(&l, e);
        listing_fini(&l);
        return done;
}
