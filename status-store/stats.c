/* SPDX-License-Identifier: Apache-2.0
 *
 * stats.c: writes the counts of the projection.
 */
#include "status-store/stats.h"

#include <jansson.h>
#include <string.h>

#include "common/base/own.h"
#include "status-store/minute_json.h"

static void add_count(json_t *object, const char *status, json_int_t n)
{
        json_int_t before = json_integer_value(json_object_get(object, status));
        (void)json_object_set_new(object, status, json_integer(before + n));
}

/* Most types with an entry of their own; the jobs of others are summed under "*". */
enum { TYPES_MAX = 1000 };

/* The counts of one type or tenant in `groups`, added if missing. */
static json_t *group_of(json_t *groups, const char *name)
{
        json_t *group = json_object_get(groups, name);
        if (group == NULL) {
                (void)json_object_set_new(groups, name, json_object());
                group = json_object_get(groups, name);
        }
        return group;
}

static int count_jobs(struct reader *r, const char *tenant, json_t *answer, struct err *e)
{
        json_t *types = json_object();
        json_t *tenants = json_object();
        (void)json_object_set_new(answer, "types", types);
        (void)json_object_set_new(answer, "tenants", tenants);
        add_count(answer, "total", 0);
        for (int s = 0; s < STATUS_COUNT; s++)
                add_count(answer, status_name((enum status)s), 0);
        AUTO_RESET *counts = reader_query(r, counts_sql, DB_VALUES(value_text(tenant)), e);
        int more = 0;
        while ((more = db_step(counts, e)) == 1) {
                int state = sqlite3_column_int(counts, 3);
                if (state < 0 || state >= STATUS_COUNT)
                        continue;
                char name[TENANT_SIZE], type[JOB_TYPE_SIZE];
                db_text(counts, 1, name, sizeof(name));
                db_text(counts, 2, type, sizeof(type));
                const char *status = status_name((enum status)state);
                json_int_t n = sqlite3_column_int64(counts, 4);
                add_count(answer, "total", n);
                add_count(answer, status, n);
                add_count(group_of(tenants, name), status, n);
                bool named =
                        json_object_get(types, type) != NULL || json_object_size(types) < TYPES_MAX;
                if (type[0] != '\0')
                        add_count(group_of(types, named ? type : "*"), status, n);
        }
        return more;
}

static int add_totals(struct reader *r, const char *tenant, json_t *answer, struct err *e)
{
        static const char *const names[TALLY_COUNT] = {"submitted_total", "completed_total",
                                                       "failed_attempts_total", "retried_total",
                                                       "dead_total"};
        AUTO_RESET *totals =
                reader_query(r,
                             "SELECT sum(submitted), sum(completed), sum(failed), sum(retried),"
                             " sum(dead) FROM counters WHERE" OF_TENANT,
                             DB_VALUES(value_text(tenant)), e);
        if (db_step(totals, e) != 1)
                return -1;
        for (int i = 0; i < TALLY_COUNT; i++)
                (void)json_object_set_new(answer, names[i],
                                          json_integer(sqlite3_column_int64(totals, i)));
        return 0;
}

static int sum_minutes(struct reader *r, const char *tenant, int64_t from, struct minute_counts *w,
                       struct err *e)
{
        AUTO_RESET *minutes = reader_query(
                r, "SELECT " MINUTE_COLUMNS " FROM minutes WHERE minute >= ?2 AND" OF_TENANT,
                DB_VALUES(value_text(tenant), value_int(from)), e);
        int more = 0;
        while ((more = db_step(minutes, e)) == 1)
                minute_add(minutes, w);
        return more;
}

/* Adds the counts of the last full minutes and the current one, `seconds` long in all. */
static int add_period(struct reader *r, const char *tenant, msec now, int64_t minutes,
                      json_t *answer, struct err *e)
{
        struct minute_counts w = {0};
        int64_t from = now / MSEC_MINUTE - minutes;
        if (sum_minutes(r, tenant, from, &w, e) != 0)
                return -1;
        double seconds = (double)(now - from * MSEC_MINUTE) / MSEC_SECOND;
        json_t *period = json_object();
        (void)json_object_set_new(period, "seconds", json_real(seconds));
        minute_json(&w, period);
        (void)json_object_set_new(period, "throughput",
                                  json_real((double)w.count[TALLY_COMPLETED] / seconds));
        (void)json_object_set_new(answer, minutes == 1 ? "last_minute" : "last_hour", period);
        return 0;
}

/* Adds where the folded history begins and what is missing in it. */
static int add_history(struct reader *r, json_t *answer, struct err *e)
{
        AUTO_RESET *position = reader_query(r, position_sql, NULL, e);
        int found = db_step(position, e);
        if (found < 0)
                return -1;
        json_int_t v[8] = {-1};
        for (int i = 0; found == 1 && i < 8; i++)
                v[i] = sqlite3_column_int64(position, i);
        json_t *gap = v[4] == 0 ? json_null() : json_pack("{s:I, s:I}", "from", v[6], "to", v[7]);
        json_t *history = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "offset", v[0],
                                    "first_offset", v[1], "events", v[2], "skipped_events", v[3],
                                    "gaps", v[4], "rebuilds", v[5], "last_gap", gap);
        return json_object_set_new(answer, "history", history);
}

/* As members, without the braces. */
static void add_members(json_t *answer, struct buffer *out)
{
        AUTO_FREE char *text =
                json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(6) | JSON_PRESERVE_ORDER);

        buffer_add(out, text + 1, strlen(text) - 2);
}

int counts_write(struct reader *r, const char *tenant, struct buffer *out, struct err *e)
{
        json_auto_t *answer = json_object();

        if (count_jobs(r, tenant, answer, e) != 0)
                return -1;
        add_members(answer, out);
        return 0;
}

int stats_write(struct reader *r, const char *tenant, msec now, struct buffer *out, struct err *e)
{
        json_auto_t *answer = json_object();
        if (count_jobs(r, tenant, answer, e) != 0 || add_totals(r, tenant, answer, e) != 0 ||
            add_period(r, tenant, now, 1, answer, e) != 0 ||
            add_period(r, tenant, now, 60, answer, e) != 0 || add_history(r, answer, e) != 0)
                return -1;
        add_members(answer, out);
        return 0;
}
