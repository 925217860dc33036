/* SPDX-License-Identifier: Apache-2.0
 *
 * queries.c: the queries of status.db.
 */
#include "status-store/queries.h"

#include "status-store/tally.h"

#define OF_TENANT " (?1 = '*' OR tenant = (SELECT ref FROM names WHERE name = ?1)) "

static const char *const query_sql[QUERY_COUNT] = {
        [QUERY_JOB_OF_ID] = "SELECT " JOB_COLUMNS ", j.tenant FROM jobs j WHERE j.id = ?2 AND"
                            " (?1 = '*' OR j.tenant = (SELECT ref FROM names WHERE name = ?1))"
                            " ORDER BY j.state = 7, j.seq",
        [QUERY_JOB_OF_SEQ] = "SELECT " JOB_COLUMNS " FROM jobs j WHERE j.seq = ?1",
        [QUERY_PAYLOAD] = "SELECT payload FROM bodies WHERE place = ?1",
        [QUERY_ATTEMPTS] = "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE seq = ?1"
                           " ORDER BY run, attempt",
        [QUERY_STARTS] = "SELECT worker, sum(released = 0) - sum(released) FROM starts WHERE"
                         " seq = ?1 AND run = ?2 AND attempt = ?3 GROUP BY worker",
        [QUERY_WORKER] = "SELECT at, state FROM workers WHERE worker = ?1",
        [QUERY_WORKERS] = "SELECT worker, at, state, raw FROM workers ORDER BY worker LIMIT 10000",
        [QUERY_RUN_BY_SILENT] = "SELECT " JOB_COLUMNS ", w.at, w.state FROM jobs j"
                                " LEFT JOIN workers w ON w.worker = j.worker WHERE j.state = 2"
                                " AND j.tenant IN (SELECT tenant FROM counts WHERE state = 2 AND"
                                " n > 0) AND (w.state = 'gone' OR"
                                " max(ifnull(w.at, 0), ifnull(j.started_at, 0)) <= ?1)",
        [QUERY_COUNTS] = "SELECT tenant, (SELECT name FROM names WHERE ref = tenant),"
                         " (SELECT name FROM names WHERE ref = type), state, n FROM counts"
                         " WHERE n > 0 AND" OF_TENANT,
        [QUERY_TOTALS] = "SELECT sum(submitted), sum(completed), sum(failed), sum(retried),"
                         " sum(dead) FROM counters WHERE" OF_TENANT,
        [QUERY_MINUTES] = "SELECT " MINUTE_COLUMNS " FROM minutes WHERE minute >= ?2 AND" OF_TENANT,
        [QUERY_TENANTS] = "WITH RECURSIVE t(ref) AS ("
                          "SELECT min(tenant) FROM jobs WHERE ?1 = '*' UNION ALL"
                          " SELECT (SELECT min(tenant) FROM jobs WHERE tenant > ref)"
                          " FROM t WHERE ref IS NOT NULL)"
                          " SELECT ref FROM t WHERE ref IS NOT NULL"
                          " UNION ALL SELECT ref FROM names WHERE name = ?1",
        [QUERY_STATES] = "SELECT state FROM counts WHERE tenant = ?1 AND n > 0 AND"
                         " type = (SELECT ref FROM names WHERE name = ?2)",
        [QUERY_RUN_DOWN] = "SELECT created, seq FROM jobs WHERE tenant = ?1 AND state = ?2 AND"
                           " (created, seq) < (?3, ?4) AND created > ?5"
                           " ORDER BY created DESC, seq DESC LIMIT ?6",
        [QUERY_RUN_UP] = "SELECT created, seq FROM jobs WHERE tenant = ?1 AND state = ?2 AND"
                         " (created, seq) > (?3, ?4) AND created < ?5"
                         " ORDER BY created, seq LIMIT ?6",
        [QUERY_POSITION] = "SELECT offset, first_offset, events, skipped, gaps, rebuilds, gap_from,"
                           " gap_to FROM position",
};

sqlite3_stmt *reader_query(struct reader *r, enum query q, const struct db_value *values,
                           struct err *e)
{
        return database_query(reader_database(r), query_sql[q], values, e);
}
