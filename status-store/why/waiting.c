/* SPDX-License-Identifier: Apache-2.0
 *
 * waiting.c: counts rows of jobs by the indexes of those that wait and run.
 */
#include "status-store/why/waiting.h"

#include "status-store/projection/histogram.h"

enum { STARTS_MINUTES = 2 };

static int64_t number_of(struct reader *r, const char *sql, const struct db_value *values,
                         struct err *e)
{
        AUTO_RESET *s = reader_query(r, sql, values, e);
        int found = db_step(s, e);

        if (found < 0)
                return -1;
        return found == 1 ? sqlite3_column_int64(s, 0) : 0;
}

int64_t waiting_ref(struct reader *r, const char *name, struct err *e)
{
        return number_of(r, "SELECT ref FROM names WHERE name = ?1", DB_VALUES(value_text(name)),
                         e);
}

int waiting_type_has_jobs(struct reader *r, const char *tenant, const char *type, struct err *e)
{
        AUTO_RESET *find = reader_query(r,
                                        "SELECT 1 FROM counts WHERE" OF_TENANT
                                        "AND type = (SELECT ref FROM names WHERE name = ?2)"
                                        " AND n > 0 LIMIT 1",
                                        DB_VALUES(value_text(tenant), value_text(type)), e);
        return db_step(find, e);
}

/* 10000 is WAITING_MAX. */
static int count_waiting(struct reader *r, int64_t tenant, int lane, struct lane_waiting *out,
                         struct err *e)
{
        AUTO_RESET *s = reader_query(
                r,
                "SELECT count(*), min(created) FROM (SELECT created FROM jobs INDEXED BY"
                " jobs_waiting WHERE tenant = ?1 AND lane = ?2 AND state = 1 ORDER BY created"
                " LIMIT 10000)",
                DB_VALUES(value_int(tenant), value_int(lane)), e);

        if (db_step(s, e) != 1)
                return -1;
        out->waiting = sqlite3_column_int64(s, 0);
        out->oldest = sqlite3_column_int64(s, 1);
        return 0;
}

static int count_running(struct reader *r, int64_t tenant, struct lane_waiting out[LANE_COUNT],
                         struct err *e)
{
        int more = 0;
        AUTO_RESET *s = reader_query(r,
                                     "SELECT lane, count(*) FROM (SELECT lane FROM jobs INDEXED BY"
                                     " jobs_state WHERE tenant = ?1 AND state = 2 LIMIT 10000)"
                                     " GROUP BY lane",
                                     DB_VALUES(value_int(tenant)), e);

        while ((more = db_step(s, e)) == 1) {
                int lane = sqlite3_column_int(s, 0);
                if (lane >= 0 && lane < LANE_COUNT)
                        out[lane].running = sqlite3_column_int64(s, 1);
        }
        return more;
}

int waiting_lanes(struct reader *r, int64_t tenant, struct lane_waiting out[LANE_COUNT],
                  struct err *e)
{
        for (int lane = 0; lane < LANE_COUNT; lane++) {
                out[lane] = (struct lane_waiting){0};
                if (count_waiting(r, tenant, lane, &out[lane], e) != 0)
                        return -1;
        }
        return count_running(r, tenant, out, e);
}

int64_t waiting_running_of_tenant(struct reader *r, int64_t tenant, struct err *e)
{
        return number_of(r,
                         "SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_state WHERE"
                         " tenant = ?1 AND state = 2 LIMIT 10000)",
                         DB_VALUES(value_int(tenant)), e);
}

int64_t waiting_running_of_type(struct reader *r, int64_t type, struct err *e)
{
        return number_of(r,
                         "SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_running WHERE"
                         " type = ?1 AND state = 2 LIMIT 10000)",
                         DB_VALUES(value_int(type)), e);
}

/* The types are read for idle ones only: the index does not have them. When there are `most` jobs
 * or more, all count. */
static int64_t count_not_idle(struct reader *r, const struct waiting_place *than, int64_t most,
                              struct err *e)
{
        return number_of(r,
                         "SELECT CASE count(*) WHEN ?4 THEN ?4 ELSE count(*) FILTER (WHERE"
                         " ifnull(type, 0) NOT IN (SELECT n.ref FROM names n JOIN json_each(?5) i"
                         " ON n.name = i.value)) END FROM (SELECT type FROM jobs INDEXED BY"
                         " jobs_waiting WHERE tenant = ?1 AND lane = ?2 AND state = 1 AND"
                         " created < ?3 LIMIT ?4)",
                         DB_VALUES(value_int(than->tenant), value_int(than->lane),
                                   value_int(than->created), value_int(most),
                                   value_string(than->idle)),
                         e);
}

/* At most `most`. */
static int64_t count_older(struct reader *r, const struct waiting_place *than, int64_t most,
                           struct err *e)
{
        if (than->idle.length > 0)
                return count_not_idle(r, than, most, e);
        return number_of(r,
                         "SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_waiting WHERE"
                         " tenant = ?1 AND lane = ?2 AND state = 1 AND created < ?3 LIMIT ?4)",
                         DB_VALUES(value_int(than->tenant), value_int(than->lane),
                                   value_int(than->created), value_int(most)),
                         e);
}

int waiting_ahead(struct reader *r, const struct waiting_place *job, int64_t out[LANE_COUNT],
                  struct err *e)
{
        int own = (int)job->lane;
        int first = own == LANE_LONG ? LANE_LONG : LANE_CRITICAL;
        int64_t left = WAITING_MAX + 1;

        for (int i = 0; i < LANE_COUNT; i++)
                out[i] = 0;
        for (int i = first; i >= own && left > 0; i--) {
                const struct waiting_place than = {.tenant = job->tenant,
                                                   .lane = (enum lane)i,
                                                   .created = i == own ? job->created : INT64_MAX,
                                                   .idle = job->idle};
                out[i] = count_older(r, &than, left, e);
                if (out[i] < 0)
                        return -1;
                left -= out[i];
        }
        return 0;
}

int64_t waiting_ahead_of_type(struct reader *r, int64_t type, msec created, struct err *e)
{
        int64_t sum = 0;

        for (int i = 0; i <= SHELF_PRIORITY_UNKNOWN; i++) {
                int64_t count = number_of(
                        r,
                        "SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_type WHERE"
                        " type = ?1 AND shelf = ?2 AND created < ?3 LIMIT 10000)",
                        DB_VALUES(value_int(type), value_int(STATUS_PENDING * SHELF_STATE + i),
                                  value_int(created)),
                        e);
                if (count < 0)
                        return -1;
                sum += count;
        }
        return sum < WAITING_MAX ? sum : WAITING_MAX;
}

double waiting_starts(struct reader *r, int64_t tenant, msec now, struct err *e)
{
        int64_t from = now / MSEC_MINUTE - STARTS_MINUTES;
        struct histogram waits = {0};
        int more = 0;
        AUTO_RESET *minutes =
                reader_query(r, "SELECT wait FROM minutes WHERE minute >= ?1 AND tenant = ?2",
                             DB_VALUES(value_int(from), value_int(tenant)), e);

        while ((more = db_step(minutes, e)) == 1)
                histogram_unpack(db_bytes(minutes, 0), &waits);
        if (more < 0)
                return -1;
        return (double)waits.total * MSEC_SECOND / (double)(now - from * MSEC_MINUTE);
}
