/* SPDX-License-Identifier: Apache-2.0
 *
 * canceller.c: finds jobs that wait and were to be cancelled.
 */
#include "status-store/canceller.h"

#include "common/base/log.h"

enum {
        LOOK_EVERY = 1000, /* ms */
        GRACE = 500,       /* ms, for a consumer to say it */
};

/* A retry of what was cancelled waits again too: an older request is not looked at each time. */
#define LOOK_BACK MSEC_DAY

static int look_at(struct sweep_found *f, sqlite3_stmt *row, struct err *e)
{
        AUTO_STORED_JOB job = {0};

        if (stored_job_read(row, &job, e) != 0)
                return -1;
        struct event cancelled = {
                .kind = EVENT_CANCELLED,
                .attempt = job.row.winner.attempt + (job.row.status == STATUS_FAILED ? 1 : 0),
                .hint = {.priority = -1, .max_retries = -1},
        };
        if (job_row_is_to_be_cancelled(&job.row))
                sweep_add(f, &job.row, &cancelled);
        return 0;
}

static int find_waiting(struct reader *r, msec as_of, struct sweep_found *f, struct err *e)
{
        /* The conditions of the index jobs_cancelling. */
        AUTO_RESET *rows =
                reader_query(r,
                             "SELECT " JOB_COLUMNS " FROM jobs j WHERE j.state IN (0, 1, 3)"
                             " AND j.cancel_at IS NOT NULL AND j.cancel_at BETWEEN ?1 AND ?2",
                             DB_VALUES(value_int(as_of - LOOK_BACK), value_int(as_of - GRACE)), e);
        int more = 0;
        while (f->count < SWEEP_AT_ONCE && (more = db_step(rows, e)) == 1) {
                if (look_at(f, rows, e) != 0)
                        return -1;
        }
        return more < 0 ? -1 : 0;
}

static void log_waiting(const struct sweep_found *f)
{
        LOG_INFO("jobs that were to be cancelled wait for their next attempt: they end now",
                 log_int("jobs", f->count));
}

const struct sweep canceller = {
        .every = LOOK_EVERY,
        .failure = "jobs that were to be cancelled cannot be ended; trying again",
        .find = find_waiting,
        .log = log_waiting,
};
