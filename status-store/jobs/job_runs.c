/* SPDX-License-Identifier: Apache-2.0
 *
 * job_runs.c: which runs a filter names, and the rows of one.
 */
#include "status-store/jobs/job_runs.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

#define IN_TENANT " FROM jobs INDEXED BY jobs_of WHERE tenant = ?1 AND type IS ?2 AND shelf = ?3"
#define IN_ALL " FROM jobs INDEXED BY jobs_type WHERE ?1 = 0 AND type IS ?2 AND shelf = ?3"
#define IN_STATE " FROM jobs INDEXED BY jobs_state WHERE tenant = ?1 AND ?2 IS NULL AND state = ?3"
#define UP " AND (created, seq) > (?4, ?5) AND created < ?6"
#define UP_ORDER " ORDER BY created, seq LIMIT ?7"
#define DOWN " AND (created, seq) < (?4, ?5) AND created > ?6"
#define DOWN_ORDER " ORDER BY created DESC, seq DESC LIMIT ?7"
#define ROWS(from, side) "SELECT created, seq" from side side##_ORDER
#define NUMBER(from, side) "SELECT count(*) FROM (SELECT 1" from side " LIMIT ?7)"

/* By kind, then descending, ascending. */
static const char *const rows_sql[][2] = {
        [RUN_OF_TENANT] = {ROWS(IN_TENANT, DOWN), ROWS(IN_TENANT, UP)},
        [RUN_OF_ALL] = {ROWS(IN_ALL, DOWN), ROWS(IN_ALL, UP)},
        [RUN_OF_STATE] = {ROWS(IN_STATE, DOWN), ROWS(IN_STATE, UP)},
};

static const char *const count_sql[][2] = {
        [RUN_OF_TENANT] = {NUMBER(IN_TENANT, DOWN), NUMBER(IN_TENANT, UP)},
        [RUN_OF_ALL] = {NUMBER(IN_ALL, DOWN), NUMBER(IN_ALL, UP)},
        [RUN_OF_STATE] = {NUMBER(IN_STATE, DOWN), NUMBER(IN_STATE, UP)},
};

static sqlite3_stmt *query(struct reader *r, const char *sql, const struct job_run *run,
                           const struct run_part *part, struct err *e)
{
        return reader_query(r, sql,
                            DB_VALUES(value_int(run->tenant), value_int_or_null(run->type),
                                      value_int(run->shelf), value_int(part->after.created),
                                      value_int(part->after.seq), value_int(part->end),
                                      value_int(part->limit)),
                            e);
}

sqlite3_stmt *job_run_query(struct reader *r, enum run_kind kind, const struct job_run *run,
                            const struct run_part *part, struct err *e)
{
        return query(r, rows_sql[kind][part->after.ascending], run, part, e);
}

sqlite3_stmt *job_run_count(struct reader *r, enum run_kind kind, const struct job_run *run,
                            const struct run_part *part, struct err *e)
{
        return query(r, count_sql[kind][part->after.ascending], run, part, e);
}

struct cursor job_filter_begin(const struct job_filter *f, const struct cursor *after)
{
        struct cursor bound = cursor_start(after->ascending);
        if (after->ascending && f->created_after > 0)
                bound.created = f->created_after;
        if (!after->ascending && f->created_before > 0)
                bound.created = f->created_before;
        return cursor_precedes(after, &bound) ? bound : *after;
}

msec job_filter_end(const struct job_filter *f, bool ascending)
{
        if (ascending)
                return f->created_before > 0 ? f->created_before : INT64_MAX;
        return f->created_after > 0 ? f->created_after : -1;
}

void job_runs_fini(struct job_runs *runs)
{
        free(runs->all);
        *runs = (struct job_runs){0};
}

static void add_run(struct job_runs *runs, const struct job_run *run)
{
        if (runs->count == runs->room) {
                runs->room = runs->room * 2 + 16;
                runs->all = xrealloc(runs->all, runs->room * sizeof(*runs->all));
        }
        runs->all[runs->count++] = *run;
}

/* 1: found; 0: no row has such a name; -1. */
static int ref_of(struct reader *r, const char *name, int64_t *ref, struct err *e)
{
        AUTO_RESET *find = reader_query(r, "SELECT ref FROM names WHERE name = ?1",
                                        DB_VALUES(value_text(name)), e);
        int found = db_step(find, e);
        if (found == 1)
                *ref = sqlite3_column_int64(find, 0);
        return found;
}

static const char counts_of_all_types[] =
        "SELECT type, shelf, n FROM counts WHERE tenant = ?1 AND n > 0";
static const char counts_of_type[] =
        "SELECT type, shelf, n FROM counts WHERE tenant = ?1 AND type = ?2 AND n > 0";

/* type -1: all. Of too many only the jobs are counted. */
static int add_counted(struct reader *r, const struct job_filter *f, int64_t tenant, int64_t type,
                       struct job_runs *out, struct err *e)
{
        AUTO_RESET *each = reader_query(r, type < 0 ? counts_of_all_types : counts_of_type,
                                        DB_VALUES(value_int(tenant), value_int(type)), e);
        int more = 0;
        while ((more = db_step(each, e)) == 1) {
                const struct job_run run = {.tenant = tenant,
                                            .type = sqlite3_column_int64(each, 0),
                                            .shelf = sqlite3_column_int(each, 1)};
                if (!job_filter_takes_shelf(f, run.shelf))
                        continue;
                out->jobs += sqlite3_column_int64(each, 2);
                if (out->count <= RUNS_MAX)
                        add_run(out, &run);
        }
        return more;
}

static int add_types(struct reader *r, const struct job_filter *f, int64_t tenant,
                     struct job_runs *out, struct err *e)
{
        if (f->type_count == 0)
                return add_counted(r, f, tenant, -1, out, e);
        for (unsigned i = 0; i < f->type_count; i++) {
                int64_t type = 0;
                int found = ref_of(r, f->types[i], &type, e);
                if (found < 0 || (found == 1 && add_counted(r, f, tenant, type, out, e) != 0))
                        return -1;
        }
        return 0;
}

static void add_states(const struct job_filter *f, int64_t tenant, struct job_runs *out)
{
        for (int s = 0; s < STATUS_COUNT; s++)
                if (f->statuses == 0 || (f->statuses >> s & 1) != 0)
                        add_run(out, &(struct job_run){.tenant = tenant, .shelf = s});
}

/* The tenants of all rows, a seek for each. */
static const char tenants_sql[] =
        "WITH RECURSIVE t(ref) AS (SELECT min(tenant) FROM jobs UNION ALL"
        " SELECT (SELECT min(tenant) FROM jobs WHERE tenant > ref) FROM t WHERE ref IS NOT NULL)"
        " SELECT ref FROM t WHERE ref IS NOT NULL";

static int use_states(struct reader *r, const struct job_filter *f, int64_t tenant,
                      struct job_runs *out, struct err *e)
{
        out->kind = RUN_OF_STATE;
        out->count = 0;
        if (tenant != TENANT_ALL) {
                add_states(f, tenant, out);
                return 0;
        }
        AUTO_RESET *each = reader_query(r, tenants_sql, NULL, e);
        int more = 0;
        while ((more = db_step(each, e)) == 1)
                add_states(f, sqlite3_column_int64(each, 0), out);
        return more;
}

int job_runs_find(struct reader *r, const struct job_filter *f, struct job_runs *out, struct err *e)
{
        bool all = strcmp(f->tenant, "*") == 0;
        int64_t tenant = TENANT_ALL;
        int found = all ? 1 : ref_of(r, f->tenant, &tenant, e);
        out->kind = all ? RUN_OF_ALL : RUN_OF_TENANT;
        out->exact = found == 0; /* a tenant without rows */
        if (found != 1)
                return found;
        if (add_types(r, f, tenant, out, e) != 0)
                return -1;
        out->exact = f->type_count == 0 && f->priorities == 0;
        if (out->count > RUNS_MAX || (out->exact && !all))
                return use_states(r, f, tenant, out, e);
        out->exact = true;
        return 0;
}
