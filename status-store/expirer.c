/* SPDX-License-Identifier: Apache-2.0
 *
 * expirer.c: finds jobs that wait and have expired.
 */
#include "status-store/expirer.h"

#include "common/base/log.h"

enum {
        LOOK_EVERY = 1000, /* ms */
        GRACE = 2000,      /* ms, for a consumer to say it, or to tell of a start in time */
};

static int look_at(struct sweep_found *f, sqlite3_stmt *row, msec as_of, struct err *e)
{
        AUTO_STORED_JOB job = {0};
        struct event cancelled = {.kind = EVENT_CANCELLED, .reason = REASON_EXPIRED};

        if (stored_job_read(row, &job, e) != 0)
                return -1;
        msec expires_at = job_row_expires_at(&job.row);
        if (expires_at != 0 && expires_at <= as_of - GRACE)
                sweep_add(f, &job.row, &cancelled);
        return 0;
}

static int find_expired(struct reader *r, msec as_of, struct sweep_found *f, struct err *e)
{
        /* The conditions of the index jobs_expires. */
        AUTO_RESET *rows = reader_query(r,
                                        "SELECT " JOB_COLUMNS " FROM jobs j WHERE j.state IN"
                                        " (0, 1, 3) AND j.expires IS NOT NULL AND j.expires <= ?1"
                                        " ORDER BY j.expires",
                                        DB_VALUES(value_int(as_of - GRACE)), e);
        int more = 0;
        while (f->count < SWEEP_AT_ONCE && (more = db_step(rows, e)) == 1) {
                if (look_at(f, rows, as_of, e) != 0)
                        return -1;
        }
        return more < 0 ? -1 : 0;
}

static void log_expired(const struct sweep_found *f)
{
        LOG_INFO("jobs have expired where no consumer took them", log_int("jobs", f->count));
}

const struct sweep expirer = {
        .every = LOOK_EVERY,
        .failure = "expired jobs cannot be cancelled; trying again",
        .find = find_expired,
        .log = log_expired,
};
