/* SPDX-License-Identifier: Apache-2.0
 *
 * queries.h: the queries of status.db. In the list: parameters → columns.
 */
#ifndef WARREN_STATUS_STORE_QUERIES_H
#define WARREN_STATUS_STORE_QUERIES_H

#include "common/db/readers.h"
#include "status-store/schema.h"

enum query {
        QUERY_JOB_OF_ID,  /* id, tenant name or "*" → JOB_COLUMNS, tenant ref */
        QUERY_JOB_OF_SEQ, /* seq → JOB_COLUMNS */
        QUERY_PAYLOAD,    /* seq → payload */
        QUERY_ATTEMPTS,   /* seq → ATTEMPT_COLUMNS, in order */
        QUERY_STARTS,     /* seq, run, attempt → worker, starts that it did not give back */
        QUERY_WORKER,     /* worker → at, state */
        QUERY_WORKERS,    /* → worker, at, state, raw */
        /* time → JOB_COLUMNS of jobs that run on workers which are gone or sent no record since, at
         * and state of the worker's record (NULL: none) */
        QUERY_RUN_BY_SILENT,
        QUERY_COUNTS,   /* tenant name or "*" → tenant ref, tenant, type, state, n */
        QUERY_TOTALS,   /* tenant name or "*" → submitted, completed, failed, retried, dead */
        QUERY_MINUTES,  /* tenant name or "*", from → the counts, the histograms */
        QUERY_TENANTS,  /* tenant name or "*" → refs of the tenants that have jobs */
        QUERY_STATES,   /* tenant ref, type → states of its jobs of that type */
        QUERY_RUN_DOWN, /* tenant ref, state, created, seq, bound, limit → created, seq of jobs
                           older than (created, seq) and newer than bound, newest first */
        QUERY_RUN_UP,   /* the same, oldest first: newer than (created, seq), older than bound */
        QUERY_POSITION, /* → offset, first_offset, events, skipped, gaps, rebuilds, gap_from, gap_to
                         */
};
enum { QUERY_COUNT = QUERY_POSITION + 1 };
/* As database_query; hold it in AUTO_RESET. */
sqlite3_stmt *reader_query(struct reader *r, enum query q, const struct db_value *values,
                           struct err *e) MUST_CHECK;

#endif
