/* SPDX-License-Identifier: Apache-2.0
 *
 * meters.c: the metrics of the gateway.
 */
#include "gateway/meters.h"

/* `...`: the names of its labels. */
#define METRIC(kind_, name_, help_, ...) \
        metric_add(m->metrics, &(struct metric_spec){.kind = METRIC_##kind_, \
                                                     .name = (name_), \
                                                     .help = (help_), \
                                                     .labels = {__VA_ARGS__}})

/* From the start on, so that a rate over time sees the first one. */
static void show_zeros(const struct meters *m)
{
        metric_increment(m->acts_refused, 0, "rate");
        metric_increment(m->acts_refused, 0, "unrecorded");
        metric_increment(m->audit_dropped, 0, "rate");
        metric_increment(m->audit_dropped, 0, "full");
}

void meters_init(struct meters *m)
{
        m->metrics = metrics_create("gateway");
        m->submitted = METRIC(COUNTER, "warren_jobs_submitted_total", "Jobs accepted over HTTP.",
                              "tenant", "type", "priority");
        m->refused = METRIC(COUNTER, "warren_submissions_refused_total",
                            "Submissions not accepted, by reason.", "reason");
        m->rate_refused =
                METRIC(COUNTER, "warren_rate_refused_total",
                       "Submissions refused because the tenant is over its rate.", "tenant");
        m->acts_refused =
                METRIC(COUNTER, "warren_act_requests_refused_total",
                       "Administrative acts refused before they began, by reason.", "reason");
        m->audit_dropped = METRIC(COUNTER, "warren_audit_dropped_total",
                                  "Logins, and ends of acts, that are not in the audit.", "reason");
        m->told_late = METRIC(COUNTER, "warren_submissions_told_late_total",
                              "Jobs accepted before the event stream had them.");
        m->dry_runs = METRIC(COUNTER, "warren_dry_runs_total",
                             "Submissions that were judged only, because they asked for it.");
        m->confirm = METRIC(HISTOGRAM, "warren_publish_confirm_seconds",
                            "Time from publishing a job to the confirm of its queue.");
        m->pack_confirm = METRIC(HISTOGRAM, "warren_pack_confirm_seconds",
                                 "Time from publishing a pack to the confirm of the event stream.");
        m->packs = METRIC(COUNTER, "warren_packs_total", "Packs that the event stream has.");
        m->packed = METRIC(COUNTER, "warren_pack_jobs_total", "Jobs in these packs.");
        m->claims =
                METRIC(COUNTER, "warren_claims_total",
                       "Claims on idempotency keys that were asked for, by outcome.", "outcome");
        m->claim = METRIC(HISTOGRAM, "warren_claim_seconds",
                          "Time from asking for a claim to the primary's answer.");
        m->claim_waits = METRIC(GAUGE, "warren_claims_waiting",
                                "Requests that wait for claims on idempotency keys.");
        m->requests = METRIC(COUNTER, "warren_http_requests_total", "HTTP requests answered.",
                             "route", "code");
        m->duration = METRIC(HISTOGRAM, "warren_http_request_duration_seconds",
                             "Time from a request's headers to its answer.", "route");
        m->link_up = METRIC(GAUGE, "warren_link_up",
                            "1 while the broker takes publishes from this gateway.", "link");
        m->in_flight = METRIC(GAUGE, "warren_publish_in_flight",
                              "Submissions that the broker has not confirmed yet.");
        m->untold = METRIC(GAUGE, "warren_jobs_untold",
                           "Jobs of which the event stream is not known to have been told.");
        live_meters_init(&m->live, m->metrics);
        show_zeros(m);
}
