/* SPDX-License-Identifier: Apache-2.0
 *
 * releaser.c: finds attempts that run on workers which have been silent for too long.
 */
#include "status-store/releaser.h"

#include "common/base/log.h"
#include "status-store/jobs/lookup.h"

enum { LOOK_EVERY = 500 }; /* ms */

/* recorded_at: of the worker's last record; 0: none (an old one is deleted). */
static bool is_lost(const struct job_row *row, msec recorded_at, bool gone, msec as_of)
{
        msec heard_at = recorded_at > row->winner.at ? recorded_at : row->winner.at;

        return (gone && recorded_at >= row->winner.at) || heard_at <= as_of - WORKER_ALIVE;
}

/* Somebody wanted it cancelled: it ends so, and does not start again. */
static void add_cancelled(struct sweep_found *f, const struct job_row *row)
{
        struct event e = {.kind = EVENT_CANCELLED,
                          .attempt = row->winner.attempt,
                          .worker = bytes_of_text(row->worker),
                          .running = true,
                          .hint = {.priority = -1, .max_retries = -1}};

        sweep_add(f, row, &e);
}

static void add_release(struct sweep_found *f, const struct job_row *row)
{
        struct event e = {.kind = EVENT_RELEASED,
                          .attempt = row->winner.attempt,
                          .copy = row->winner.copy,
                          .after = row->winner.at,
                          .worker = bytes_of_text(row->worker),
                          .lost = true};

        sweep_add(f, row, &e);
}

static int look_at(struct sweep_found *f, sqlite3_stmt *row, msec as_of, struct err *e)
{
        AUTO_STORED_JOB job = {0};
        msec recorded_at = sqlite3_column_int64(row, JOB_COLUMN_COUNT);
        bool gone = bytes_equal_text(db_bytes(row, JOB_COLUMN_COUNT + 1), "gone");
        int read = stored_job_read(row, &job, e);
        if (read != 0 || job.row.worker[0] == '\0' || !is_lost(&job.row, recorded_at, gone, as_of))
                return read;
        if (job_row_is_to_be_cancelled(&job.row))
                add_cancelled(f, &job.row);
        else
                add_release(f, &job.row);
        return read;
}

static int find_lost(struct reader *r, msec as_of, struct sweep_found *f, struct err *e)
{
        AUTO_RESET *rows =
                reader_query(r,
                             "SELECT " JOB_COLUMNS ", w.at, w.state"
                             " FROM jobs j INDEXED BY jobs_running"
                             " LEFT JOIN workers w ON w.worker = j.worker WHERE j.state = 2"
                             " AND (w.state = 'gone' OR"
                             " max(ifnull(w.at, 0), ifnull(j.started_at, 0)) <= ?1)",
                             DB_VALUES(value_int(as_of - WORKER_ALIVE)), e);
        int more = 0;
        while (f->count < SWEEP_AT_ONCE && (more = db_step(rows, e)) == 1) {
                if (look_at(f, rows, as_of, e) != 0)
                        return -1;
        }
        return more < 0 ? -1 : 0;
}

static void log_lost(const struct sweep_found *f)
{
        LOG_WARN("jobs of a lost worker are pending again, or cancelled",
                 log_text("worker", f->worker), log_int("jobs", f->count));
}

const struct sweep releaser = {
        .every = LOOK_EVERY,
        .failure = "jobs of lost workers cannot be released; trying again",
        .find = find_lost,
        .log = log_lost,
};
