/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup.c: one job, its attempts, and whether a delivery of it should still be run.
 */
#include "status-store/jobs/lookup.h"

#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "status-store/jobs/job_json.h"
#include "status-store/projection/history.h"
#include "status-store/projection/job_entry.h"

int lookup_job(struct reader *r, const char *tenant, const char *id, struct stored_job *job,
               struct err *e)
{
        unsigned char packed[ID_SIZE];
        if (!uuid_pack(bytes_of_text(id), packed))
                return 0;
        AUTO_RESET *find = reader_query(
                r,
                "SELECT " JOB_COLUMNS ", j.tenant FROM jobs j WHERE j.id = ?2 AND"
                " (?1 = '*' OR j.tenant = (SELECT ref FROM names WHERE name = ?1))"
                " ORDER BY j.state = 7, j.seq",
                DB_VALUES(value_text(tenant), value_blob(bytes_of(packed, ID_SIZE))), e);
        int found = db_step(find, e);
        if (found == 1 && stored_job_read(find, job, e) != 0)
                return -1;
        return found;
}

int lookup_write_job(struct reader *r, const struct stored_job *job, const struct mask_words *mask,
                     struct buffer *out, struct err *e)
{
        AUTO_RESET *body =
                reader_query(r, payload_sql, DB_VALUES(value_int(job_body_place(&job->row))), e);
        int found = db_step(body, e);
        if (found < 0)
                return -1;
        job_json_write(job, found == 1 ? db_bytes(body, 0) : (struct bytes){0},
                       &(struct job_view){.mask = mask}, out);
        return 0;
}

static int write_spilled(struct reader *r, const struct stored_job *job, struct buffer *out,
                         struct err *e)
{
        AUTO_RESET *all = reader_query(r,
                                       "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE seq = ?1"
                                       " ORDER BY run, attempt",
                                       DB_VALUES(value_int(job->seq)), e);
        int more = 0;
        while ((more = db_step(all, e)) == 1) {
                AUTO_ATTEMPT_ROW a = {0};
                if (attempt_read(all, &a, e) != 0)
                        return -1;
                /* A job that expired without a start had no attempt. */
                if (a.start.run != 0 || a.reason != REASON_EXPIRED)
                        attempt_json_write(&a, &job->row, out);
        }
        return more;
}

int lookup_write_attempts(struct reader *r, const struct stored_job *job, struct buffer *out,
                          struct err *e)
{
        json_begin_array(out, "attempts");
        struct attempt_row only = {0};
        if (job->spilled) {
                if (write_spilled(r, job, out, e) != 0)
                        return -1;
        } else if (attempt_of_row(&job->row, &only)) {
                attempt_json_write(&only, &job->row, out);
        }
        json_end_array(out);
        return 0;
}

static void write_event(void *owner, const struct history_entry *h)
{
        struct buffer *out = owner;
        json_begin_object(out, NULL);
        json_put_string(out, "event", history_word(h->kind));
        json_put_time(out, "at", h->at);
        json_put_int(out, "run", h->run);
        json_put_int(out, "attempt", h->attempt);
        json_put_int(out, "copy", h->copy);
        json_put_text_or_null(out, "worker", h->worker);
        json_put_text_or_null(out, "reason", bytes_of_text(reason_word(h->reason)));
        json_put_text_or_null(out, "error_kind", bytes_of_text(error_kind_word(h->error_kind)));
        json_put_text_or_null(out, "by", h->by);
        json_put_text_or_null(out, "why", h->why);
        json_put_time(out, "run_at", h->run_at);
        if (h->kind == EVENT_RELEASED)
                json_put_flag(out, "lost", h->lost);
        json_end(out);
}

int lookup_write_events(struct reader *r, const struct stored_job *job, struct buffer *out,
                        struct err *e)
{
        AUTO_RESET *get = reader_query(r, "SELECT history FROM jobs WHERE seq = ?1",
                                       DB_VALUES(value_int(job->seq)), e);
        int found = db_step(get, e);
        if (found < 0)
                return -1;
        json_begin_array(out, "events");
        bool complete = found == 1 && history_each(db_bytes(get, 0), write_event, out);
        json_end_array(out);
        json_put_flag(out, "complete", complete);
        return 0;
}

int lookup_read_payload(struct reader *r, const struct stored_job *job, struct buffer *out,
                        struct err *e)
{
        if (job->row.facts == NULL)
                return 0;
        AUTO_RESET *body =
                reader_query(r, payload_sql, DB_VALUES(value_int(job_body_place(&job->row))), e);
        int found = db_step(body, e);
        if (found == 1)
                buffer_add(out, db_bytes(body, 0).data, db_bytes(body, 0).length);
        return found < 0 ? -1 : 1;
}

enum worker_state { WORKER_ALIVE_NOW, WORKER_GONE, WORKER_DIED };

/* -1 on failure. */
static int worker_state(struct reader *r, const char *worker, msec as_of, struct err *e)
{
        AUTO_RESET *find = reader_query(r, "SELECT at, state FROM workers WHERE worker = ?1",
                                        DB_VALUES(value_text(worker)), e);
        int found = db_step(find, e);
        if (found < 0)
                return -1;
        if (found == 1 && bytes_equal_text(db_bytes(find, 1), "gone"))
                return WORKER_GONE;
        bool fresh = found == 1 && sqlite3_column_int64(find, 0) > as_of - WORKER_ALIVE;
        return fresh ? WORKER_ALIVE_NOW : WORKER_DIED;
}

/* How often the attempt was started by workers that then died. -1 on failure. */
static int deadly_starts(struct reader *r, const struct stored_job *job,
                         const struct delivery_asked *d, msec as_of, struct err *e)
{
        const struct job_row *row = &job->row;
        if (!job->spilled) {
                if (row->start.run != d->run || row->start.attempt != d->attempt)
                        return 0;
                int state = worker_state(r, row->worker, as_of, e);
                return state < 0 ? -1 : state == WORKER_DIED;
        }
        AUTO_RESET *starts = reader_query(
                r,
                "SELECT worker, sum(released = 0) - sum(released) FROM starts WHERE"
                " seq = ?1 AND run = ?2 AND attempt = ?3 GROUP BY worker",
                DB_VALUES(value_int(job->seq), value_int(d->run), value_int(d->attempt)), e);
        int count = 0;
        int more = 0;
        while ((more = db_step(starts, e)) == 1) {
                int left = sqlite3_column_int(starts, 1);
                char worker[WORKER_NAME_SIZE];
                db_text(starts, 0, worker, sizeof(worker));
                int state = worker_state(r, worker, as_of, e);
                if (state < 0)
                        return -1;
                count += state == WORKER_DIED && left > 0 ? left : 0;
        }
        return more < 0 ? -1 : count;
}

/* A retry of this attempt is in the stream, and not overdue. If it is overdue, the broker may have
 * died between the stream and the delay queue: then this delivery is the job's last. */
static bool is_retrying(const struct job_row *row, const struct delivery_asked *d, msec as_of)
{
        const struct job_facts *facts = job_row_facts(row);
        bool waits = facts->wait.run == d->run && facts->wait.attempt >= d->attempt;
        msec due = waits ? facts->run_at : row->failure.at;
        return row->failure.run == d->run && row->failure.attempt >= d->attempt &&
               as_of < due + RETRY_GRACE;
}

/* This very delivery was buried by a consumer. The stream has the burial, but queue `dead` may not:
 * if the broker died between the two, this delivery is the job's last. */
static bool is_buried(const struct job_row *row, const struct delivery_asked *d)
{
        const struct fold_key *end = &row->finish;
        int64_t attempt = end->attempt;

        switch (row->reason) {
        case REASON_NO_HANDLER: /* its attempt is the one before */
                attempt++;
                break;
        case REASON_PERMANENT:
        case REASON_EXHAUSTED:
        case REASON_POISON:
                break;
        case REASON_NONE:
        case REASON_MALFORMED:  /* never under the job's own id */
        case REASON_UNROUTABLE: /* the broker buries these three, and keeps them */
        case REASON_DELIVERY_LIMIT:
        case REASON_EXPIRED:
                return false;
        }
        return end->run == d->run && end->closed == 1 && attempt == d->attempt &&
               end->copy <= d->copy && fold_key_compare(end, &row->failure) == 0;
}

enum delivery { UNKNOWN, OPEN, RUNNING, RETRYING, BURIED, CLOSED, SUPERSEDED };
static const char *const words[] = {"unknown", "open",   "running",   "retrying",
                                    "buried",  "closed", "superseded"};

static enum delivery delivery_state(const struct job_row *row, const struct delivery_asked *d,
                                    msec as_of)
{
        const struct fold_key *w = &row->winner;
        if (w->run > d->run || row->forgotten_run >= d->run)
                return CLOSED;
        if (row->finish.run == d->run && row->finish.closed > 0)
                return is_buried(row, d) ? BURIED : CLOSED;
        if (w->run < d->run)
                return OPEN;
        if (w->attempt > d->attempt || job_row_has_moved(row, d->run, d->attempt, d->copy))
                return SUPERSEDED;
        if (is_retrying(row, d, as_of))
                return RETRYING;
        bool started = row->start.run == d->run && row->start.attempt == d->attempt;
        return started && !job_row_is_given_back(row) ? RUNNING : OPEN;
}

/* The list of last acts knows what the row, or the whole database, has lost. */
static enum delivery with_list(enum delivery state, enum moved_word listed)
{
        if (listed == MOVED_UNKNOWN || state == BURIED || state == CLOSED || state == SUPERSEDED)
                return state;
        return listed == MOVED_ENDED ? CLOSED : SUPERSEDED;
}

struct beginning {
        bool is_there;
};

static void look_for_beginning(void *owner, const struct history_entry *h)
{
        struct beginning *b = owner;
        b->is_there = b->is_there || h->kind != EVENT_DUE;
}

/* 1: more is known of the job than that its message came due; 0: its row was deleted, or rebuilt
 * from a stream that has lost the rest, and that message has made it again; -1. */
static int has_beginning(struct reader *r, const struct stored_job *job, struct err *e)
{
        struct beginning b = {.is_there = false};
        AUTO_RESET *get = reader_query(r, "SELECT history FROM jobs WHERE seq = ?1",
                                       DB_VALUES(value_int(job->seq)), e);
        int found = db_step(get, e);
        if (found != 1)
                return found;
        /* Each return of a message that has to wait is one more `due`: entries may be left out. */
        (void)history_each(db_bytes(get, 0), look_for_beginning, &b);
        return b.is_there || history_has_gap(db_bytes(get, 0));
}

/* enum delivery; -1: failed. An open row that was made again says nothing of the acts that were in
 * the first. */
static int state_of(struct reader *r, const struct stored_job *job, const struct delivery_asked *d,
                    msec as_of, struct err *e)
{
        enum delivery state = delivery_state(&job->row, d, as_of);
        int known = state == OPEN ? has_beginning(r, job, e) : 1;
        if (known < 0)
                return -1;
        return known == 1 ? (int)state : UNKNOWN;
}

/* 1: no message of the stream was missed: a job whose row is not there has ended; 0; -1. */
static int is_whole(struct reader *r, struct err *e)
{
        AUTO_RESET *find = reader_query(
                r, "SELECT 1 FROM position WHERE first_offset = 0 AND gaps = 0", NULL, e);
        return db_step(find, e);
}

/* 1: the row is only there because an old message came due, whose job has ended; 0; -1. */
static int is_to_be_forgotten(struct reader *r, bool alone, enum moved_word listed, struct err *e)
{
        if (!alone || listed == MOVED_UNKNOWN)
                return 0;
        return listed == MOVED_ENDED ? 1 : is_whole(r, e);
}

static void write_burial(const struct job_row *row, struct buffer *out)
{
        json_put_string(out, "reason", reason_word(row->reason));
        json_put_string(out, "error_kind", error_kind_word(row->error_kind));
        json_put_text(out, "error", buffer_bytes(&row->error));
}

int lookup_write_delivery(struct reader *r, const struct delivery_asked *d, msec as_of,
                          struct buffer *out, struct err *e)
{
        AUTO_STORED_JOB job = {0};
        int found = lookup_job(r, d->tenant, d->id, &job, e);
        if (found < 0)
                return -1;
        const struct job_row *row = &job.row;
        bool started = found == 1 && row->start.run == d->run && row->start.attempt == d->attempt;
        int starts = found == 1 ? deadly_starts(r, &job, d, as_of, e) : 0;
        int worker = started ? worker_state(r, row->worker, as_of, e) : WORKER_DIED;
        int told = found == 1 ? state_of(r, &job, d, as_of, e) : UNKNOWN;
        if (starts < 0 || worker < 0 || told < 0)
                return -1;
        int forget = is_to_be_forgotten(r, found == 1 && told == UNKNOWN, d->listed, e);
        if (forget < 0)
                return -1;
        enum delivery state = with_list((enum delivery)told, d->listed);
        json_begin_object(out, NULL);
        json_put_string(out, "state", words[state]);
        json_put_string(out, "worker", started ? row->worker : NULL);
        json_put_flag(out, "worker_alive", worker == WORKER_ALIVE_NOW);
        json_put_int(out, "starts", starts);
        if (forget == 1)
                json_put_flag(out, "forget", true);
        if (d->forgotten || (found == 1 && row->forgotten_run >= d->run))
                json_put_flag(out, "forgotten", true);
        if (state == BURIED)
                write_burial(row, out);
        json_end(out);
        return 0;
}
