/* SPDX-License-Identifier: Apache-2.0
 *
 * tally.h: the changes that a batch makes to the counts: jobs by shelf, totals, and by minute, each
 * of its tenant and of all (schema.h). They are collected in memory and added to the tables in the
 * batch's transaction. Writer only.
 */
#pragma once

#include "common/base/clock.h"
#include "common/db/database.h"
#include "status-store/projection/histogram.h"
#include "status-store/projection/type_tally.h"

enum tally_what {
        TALLY_SUBMITTED,
        TALLY_COMPLETED,
        TALLY_FAILED, /* attempts */
        TALLY_RETRIED,
        TALLY_DEAD,
};
enum { TALLY_COUNT = 5 };
#define TALLY_COLUMNS "submitted, completed, failed, retried, dead"

enum tally_time {
        TALLY_LATENCY,  /* submission to completion */
        TALLY_WAIT,     /* submission to the first start */
        TALLY_DURATION, /* of an attempt that completed */
};
enum { TALLY_TIMES = 3 };
/* Of a minute: the counts, then the packed histograms. */
#define MINUTE_COLUMNS TALLY_COLUMNS ", latency, wait, duration"

/* Older minutes are not written, and are deleted. */
#define TALLY_KEPT ((msec)25 * MSEC_HOUR)
#define TALLY_TYPES_KEPT ((msec)MSEC_HOUR) /* likewise of types */

struct minute_counts {
        int64_t count[TALLY_COUNT];
        struct histogram times[TALLY_TIMES];
};
/* Adds a row of MINUTE_COLUMNS. */
void minute_add(sqlite3_stmt *row, struct minute_counts *to);

struct tally;

/* db must outlive it. */
struct tally *tally_create(struct database *db);
void tally_destroy(struct tally **t);
/* Adds `by` (+1 or -1) to the jobs of this tenant and type on this shelf. */
void tally_shelf(struct tally *t, int64_t tenant, int64_t type, int shelf, int by);
/* `at`: a time after `now` counts as now; one older than TALLY_KEPT counts in the totals only. */
void tally_count(struct tally *t, int64_t tenant, enum tally_what what, msec at, msec now);
void tally_observe(struct tally *t, int64_t tenant, enum tally_time which, msec value, msec at,
                   msec now);
/* Likewise, of a type: one older than TALLY_TYPES_KEPT does not count. type 0: unknown. */
struct tally_type {
        int64_t tenant, type;
        msec at, now;
};
void tally_type(struct tally *t, const struct tally_type *of, enum type_count what);
void tally_type_duration(struct tally *t, const struct tally_type *of, msec value);
/* Adds everything to the tables, in the open transaction, and clears the tally. */
int tally_write(struct tally *t, struct err *e) MUST_CHECK;
/* Drops what was not written, with the batch. */
void tally_clear(struct tally *t);
/* The oldest minute that was written since this was asked last; INT64_MAX: none was. */
int64_t tally_take_oldest(struct tally *t);
