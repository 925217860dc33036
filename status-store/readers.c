/* SPDX-License-Identifier: Apache-2.0
 *
 * readers.c: read-only connections to status.db.
 */
#include "status-store/readers.h"

#include <pthread.h>
#include <time.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum { TAKE_WAIT_S = 5 };

#define OF_TENANT " (?1 = '*' OR tenant = (SELECT ref FROM names WHERE name = ?1)) "

static const char *const query_sql[QUERY_COUNT] = {
        [QUERY_NAME] = "SELECT ref FROM names WHERE name = ?1",
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
        [QUERY_MINUTES] = "SELECT submitted, completed, failed, retried, dead, latency, wait,"
                          " duration FROM minutes WHERE minute >= ?2 AND" OF_TENANT,
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

struct reader {
        struct readers *pool;
        sqlite3 *db;
        sqlite3_stmt *queries[QUERY_COUNT];
        struct reader *next;
};

struct readers {
        pthread_mutex_t mutex;
        pthread_cond_t freed;
        struct reader *free; /* guarded by mutex */
        unsigned count;
        struct reader all[];
};

struct readers *readers_create(const char *path, unsigned count, struct err *e)
{
        AUTO(readers) r = xcalloc(1, sizeof(*r) + count * sizeof(r->all[0]));
        r->count = count;
        pthread_mutex_init(&r->mutex, NULL);
        pthread_cond_init(&r->freed, NULL);
        for (unsigned i = 0; i < count; i++) {
                struct reader *one = &r->all[i];
                one->pool = r;
                one->db = db_open(path, DB_READ_ONLY, e);
                if (one->db == NULL)
                        return NULL;
                one->next = r->free;
                r->free = one;
        }
        return TAKE(r);
}

void readers_destroy(struct readers **r)
{
        if (*r == NULL)
                return;
        for (unsigned i = 0; i < (*r)->count; i++) {
                struct reader *one = &(*r)->all[i];
                for (int q = 0; q < QUERY_COUNT; q++)
                        db_finalize(&one->queries[q]);
                db_close(&one->db);
        }
        pthread_cond_destroy(&(*r)->freed);
        pthread_mutex_destroy(&(*r)->mutex);
        free(*r);
        *r = NULL;
}

static struct reader *take_free(struct readers *r)
{
        struct timespec deadline;
        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += TAKE_WAIT_S;
        pthread_mutex_lock(&r->mutex);
        int waited = 0;
        while (r->free == NULL && waited == 0)
                waited = pthread_cond_timedwait(&r->freed, &r->mutex, &deadline);
        struct reader *one = r->free;
        if (one != NULL)
                r->free = one->next;
        pthread_mutex_unlock(&r->mutex);
        return one;
}

struct reader *readers_take(struct readers *r, struct err *e)
{
        struct reader *one = take_free(r);
        if (one == NULL) {
                (void)err_set(e, ERR_UNAVAILABLE, "too many reads at once");
                return NULL;
        }
        if (db_exec(one->db, "BEGIN", e) != 0)
                readers_give(&one);
        return one;
}

void readers_give(struct reader **reader)
{
        struct reader *one = *reader;
        if (one == NULL)
                return;
        *reader = NULL;
        struct err why = {0};
        if (sqlite3_get_autocommit(one->db) == 0 && db_exec(one->db, "ROLLBACK", &why) != 0)
                LOG_WARN("a read did not end", log_err(&why));
        pthread_mutex_lock(&one->pool->mutex);
        one->next = one->pool->free;
        one->pool->free = one;
        pthread_cond_signal(&one->pool->freed);
        pthread_mutex_unlock(&one->pool->mutex);
}

sqlite3_stmt *reader_query(struct reader *r, enum query q, struct err *e)
{
        if (r->queries[q] == NULL)
                r->queries[q] = db_prepare(r->db, query_sql[q], e);
        return r->queries[q];
}
