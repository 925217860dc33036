/* SPDX-License-Identifier: Apache-2.0
 *
 * meters.c: the metrics of the gateway.
 */
#include "gateway/meters.h"

static struct metric *add(struct meters *m, enum metric_kind kind, const char *name,
                          const char *help, const char *const labels[3])
{
        struct metric_spec spec = {.name = name, .help = help, .kind = kind};

        for (size_t i = 0; i < 3 && labels[i] != NULL; i++)
                spec.labels[i] = labels[i];
        return metric_add(m->metrics, &spec);
}

#define LABELS(...) ((const char *const[3]){__VA_ARGS__})

void meters_init(struct meters *m)
{
        m->metrics = metrics_create("gateway");
        m->submitted = add(m, METRIC_COUNTER, "warren_jobs_submitted_total",
                           "Jobs accepted over HTTP.", LABELS("tenant", "type", "priority"));
        m->refused = add(m, METRIC_COUNTER, "warren_submissions_refused_total",
                         "Submissions not accepted, by reason.", LABELS("reason"));
        m->confirm = add(m, METRIC_HISTOGRAM, "warren_publish_confirm_seconds",
                         "Time from publishing a job to the broker's confirm.", LABELS(NULL));
        m->requests = add(m, METRIC_COUNTER, "warren_http_requests_total",
                          "HTTP requests answered.", LABELS("route", "code"));
        m->duration = add(m, METRIC_HISTOGRAM, "warren_http_request_duration_seconds",
                          "Time from a request's headers to its answer.", LABELS("route"));
        m->link_up = add(m, METRIC_GAUGE, "warren_link_up",
                         "1 while the broker takes publishes from this gateway.", LABELS(NULL));
        m->in_flight = add(m, METRIC_GAUGE, "warren_publish_in_flight",
                           "Publishes that are not confirmed yet.", LABELS(NULL));
}

void meters_fini(struct meters *m)
{
        metrics_destroy(&m->metrics);
}
