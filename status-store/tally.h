/* SPDX-License-Identifier: Apache-2.0
 *
 * tally.h: what a batch changes in the counts: jobs by state, what happened in all, and by minute.
 * Gathered in memory, added to the tables in the batch's transaction. Writer only.
 */
#ifndef WARREN_STATUS_STORE_TALLY_H
#define WARREN_STATUS_STORE_TALLY_H

#include "common/base/clock.h"
#include "common/db/db.h"
#include "status-store/histogram.h"

enum tally_what {
        TALLY_SUBMITTED,
        TALLY_COMPLETED,
        TALLY_FAILED, /* attempts */
        TALLY_RETRIED,
        TALLY_DEAD,
};
enum { TALLY_COUNT = 5 };

enum tally_time {
        TALLY_LATENCY,  /* submission to completion */
        TALLY_WAIT,     /* submission to the first start */
        TALLY_DURATION, /* an attempt that completed */
};
enum { TALLY_TIMES = 3 };

/* Minutes older than this are neither written nor kept. */
#define TALLY_KEPT ((msec)25 * MSEC_HOUR)

struct tally;

struct tally *tally_create(sqlite3 *db, struct err *e) MUST_CHECK;
void tally_destroy(struct tally **t);
/* by: +1 or -1 jobs of this tenant and type in this state. */
void tally_state(struct tally *t, int64_t tenant, int64_t type, int state, int by);
/* `now` bounds `at`: a time to come counts as now, an old one only in the totals. */
void tally_count(struct tally *t, int64_t tenant, enum tally_what what, msec at, msec now);
void tally_observe(struct tally *t, int64_t tenant, enum tally_time which, msec value, msec at,
                   msec now);
/* Adds all to the tables, within the transaction that is open, and forgets it. */
int tally_write(struct tally *t, struct err *e) MUST_CHECK;
void tally_clear(struct tally *t);

#endif
