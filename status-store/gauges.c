/* SPDX-License-Identifier: Apache-2.0
 *
 * gauges.c: the metrics of the status-store.
 */
#include "status-store/gauges.h"

#include <stdio.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/fold.h"
#include "status-store/jobs/lookup.h"
#include "status-store/registry/registry_audit.h"
#include "status-store/registry/registry_claims.h"

enum { POSITION_GAUGES = 6 };

static const struct metric_spec position_specs[POSITION_GAUGES] = {
        {.name = "warren_projection_offset",
         .help = "Offset of the last message folded from stream events.",
         .kind = METRIC_GAUGE},
        {.name = "warren_projection_first_offset",
         .help = "Offset at which the folded history begins.",
         .kind = METRIC_GAUGE},
        {.name = "warren_projection_events",
         .help = "Events folded since the tables were last empty.",
         .kind = METRIC_GAUGE},
        {.name = "warren_projection_skipped_events",
         .help = "Events, and members of events, that were unknown or malformed.",
         .kind = METRIC_GAUGE},
        {.name = "warren_projection_gaps",
         .help = "How often messages were missing in the stream.",
         .kind = METRIC_GAUGE},
        {.name = "warren_projection_rebuilds",
         .help = "How often the stream was rewound and folded again.",
         .kind = METRIC_GAUGE},
};

struct gauges {
        struct readers *readers;
        const struct freshness *freshness;
        struct metric *lag, *jobs, *workers, *requests, *request_seconds;
        struct metric *position[POSITION_GAUGES];
        /* The primary's. */
        struct registry *registry;
        struct claim_settler *settler;
        struct metric *claims, *dropped, *acts;
        int64_t dropped_shown;
};

static int fill_position(struct gauges *g, struct reader *r, struct err *e)
{
        AUTO_RESET *position = reader_query(r, position_sql, NULL, e);
        int found = db_step(position, e);
        for (int i = 0; found == 1 && i < POSITION_GAUGES; i++)
                metric_set(g->position[i], (double)sqlite3_column_int64(position, i));
        return found < 0 ? -1 : 0;
}

static int fill_jobs(struct gauges *g, struct reader *r, struct err *e)
{
        int64_t n[STATUS_COUNT] = {0};
        AUTO_RESET *counts = reader_query(r,
                                          "SELECT shelf / 8, sum(n) FROM counts WHERE tenant = 0"
                                          " GROUP BY shelf / 8",
                                          NULL, e);
        int more = 0;
        while ((more = db_step(counts, e)) == 1) {
                int state = sqlite3_column_int(counts, 0);
                if (state >= 0 && state < STATUS_COUNT)
                        n[state] = sqlite3_column_int64(counts, 1);
        }
        for (int s = 0; s < STATUS_COUNT; s++)
                metric_set(g->jobs, (double)n[s], status_name((enum status)s));
        return more;
}

static int fill_workers(struct gauges *g, struct reader *r, msec as_of, struct err *e)
{
        AUTO_RESET *alive = reader_query(
                r, "SELECT count(*) FROM workers WHERE at > ?1 AND state IS NOT 'gone'",
                DB_VALUES(value_int(as_of - WORKER_ALIVE)), e);
        if (db_step(alive, e) != 1)
                return -1;
        metric_set(g->workers, (double)sqlite3_column_int64(alive, 0));
        return 0;
}

static void collect(void *owner)
{
        struct gauges *g = owner;
        struct err why = {0};
        struct lag lag = freshness_lag(g->freshness, clock_wall());
        metric_set(g->lag, (double)lag.lag / MSEC_SECOND);
        AUTO_READER *r = readers_take(g->readers, &why);
        if (r == NULL || fill_position(g, r, &why) != 0 || fill_jobs(g, r, &why) != 0 ||
            fill_workers(g, r, lag.as_of, &why) != 0)
                LOG_WARN("metrics not filled", log_err(&why));
}

struct gauges *gauges_create(struct metrics *m, struct readers *readers,
                             const struct freshness *freshness)
{
        struct gauges *g = xcalloc(1, sizeof(*g));
        g->readers = readers;
        g->freshness = freshness;
        g->lag = metric_add(
                m, &(struct metric_spec){.name = "warren_projection_lag_seconds",
                                         .help = "How far the projection is behind the stream.",
                                         .kind = METRIC_GAUGE});
        g->jobs = metric_add(m, &(struct metric_spec){.name = "warren_jobs",
                                                      .help = "Jobs known, by status.",
                                                      .kind = METRIC_GAUGE,
                                                      .labels = {"status"}});
        g->workers = metric_add(m, &(struct metric_spec){.name = "warren_workers_active",
                                                         .help = "Consumers that are alive.",
                                                         .kind = METRIC_GAUGE});
        g->requests = metric_add(m, &(struct metric_spec){.name = "warren_http_requests_total",
                                                          .help = "Requests answered.",
                                                          .kind = METRIC_COUNTER,
                                                          .labels = {"route", "code"}});
        g->request_seconds = metric_add(
                m, &(struct metric_spec){.name = "warren_http_request_duration_seconds",
                                         .help = "Time to answer, with the time of ?wait.",
                                         .kind = METRIC_HISTOGRAM,
                                         .labels = {"route"}});
        for (int i = 0; i < POSITION_GAUGES; i++)
                g->position[i] = metric_add(m, &position_specs[i]);
        metrics_on_collect(m, collect, g);
        return g;
}

static void collect_claims(void *owner)
{
        struct gauges *g = owner;
        struct err why = {0};
        int64_t claims = 0;
        int64_t dropped = claim_settler_dropped(g->settler);
        metric_increment(g->dropped, (double)(dropped - g->dropped_shown));
        g->dropped_shown = dropped;
        if (registry_count_claims(g->registry, &claims, &why) == 0)
                metric_set(g->claims, (double)claims);
        else
                LOG_WARN("metrics not filled", log_err(&why));
}

void gauges_show_claims(struct gauges *g, struct metrics *m, struct registry *registry,
                        struct claim_settler *settler)
{
        g->registry = registry;
        g->settler = settler;
        g->claims = metric_add(m, &(struct metric_spec){.name = "warren_claims",
                                                        .help = "Idempotency keys kept.",
                                                        .kind = METRIC_GAUGE});
        g->dropped = metric_add(
                m, &(struct metric_spec){.name = "warren_claims_unsettled_dropped_total",
                                         .help = "Published jobs whose claims were not looked "
                                                 "at because too many waited for it. In a "
                                                 "rebuild most are settled already.",
                                         .kind = METRIC_COUNTER});
        metrics_on_collect(m, collect_claims, g);
}

static void collect_acts(void *owner)
{
        struct gauges *g = owner;
        struct err why = {0};
        int64_t acts = 0;
        if (registry_audit_count(g->registry, &acts, &why) == 0)
                metric_set(g->acts, (double)acts);
        else
                LOG_WARN("metrics not filled", log_err(&why));
}

void gauges_show_audit(struct gauges *g, struct metrics *m, struct registry *registry)
{
        g->registry = registry;
        g->acts = metric_add(m, &(struct metric_spec){.name = "warren_audit_rows",
                                                      .help = "Administrative acts kept.",
                                                      .kind = METRIC_GAUGE});
        metrics_on_collect(m, collect_acts, g);
}

void gauges_destroy(struct gauges **g)
{
        free(*g);
        *g = NULL;
}

void gauges_answered(struct gauges *g, const struct http_route *route, int status, int64_t us)
{
        char code[12];
        const char *pattern = route != NULL ? route->pattern : "none";
        snprintf(code, sizeof(code), "%d", status);
        metric_increment(g->requests, 1, pattern, code);
        metric_observe(g->request_seconds, (double)us / 1e6, pattern);
}
