/* SPDX-License-Identifier: Apache-2.0
 *
 * type_tally.h: what a batch adds to type_minutes (schema.h): completed and failed attempts, deaths
 * and durations by minute, tenant and type, and of all tenants. Writer only.
 *
 * The rows of the newest minutes are held in memory from one batch to the next, so that a batch
 * writes a row without reading it.
 */
#pragma once

#include "common/base/clock.h"
#include "common/db/database.h"
#include "status-store/projection/histogram.h"

/* Most tenants' types with a row of their own in a minute; the rest count under type 0. */
enum { TYPE_PAIRS_MAX = 2000 };

enum type_count {
        TYPE_COMPLETED,
        TYPE_FAILED, /* attempts */
        TYPE_DEAD,
};
enum { TYPE_COUNTS = 3 };
/* Of a row: the counts, then the packed histogram of durations. */
#define TYPE_COLUMNS "completed, failed, dead, duration"

struct type_counts {
        int64_t count[TYPE_COUNTS];
        struct histogram duration;
};
/* Adds a row of TYPE_COLUMNS, which begin at column `first`. */
void type_counts_add(sqlite3_stmt *row, int first, struct type_counts *to);

struct type_tally;

/* db must outlive it. */
struct type_tally *type_tally_create(struct database *db);
void type_tally_destroy(struct type_tally **t);
/* The two rows that count a job of this tenant and type in that minute: its tenant's and that of
 * all. They may be written to until the next call. -1: not read. */
struct type_rows {
        struct type_counts *tenants, *all;
};
int type_tally_find(struct type_tally *t, int64_t minute, const int64_t tenant_type[2],
                    struct type_rows *out, struct err *e) MUST_CHECK;
/* Writes what was changed, in the open transaction, and forgets older minutes. */
int type_tally_write(struct type_tally *t, struct err *e) MUST_CHECK;
/* Forgets all: a batch was dropped. */
void type_tally_clear(struct type_tally *t);
