/* SPDX-License-Identifier: Apache-2.0
 *
 * measures.c: the table of the consumer's metrics.
 */
#include "consumer/measures.h"

void measures_init(struct measures *ms, struct metrics *m)
{
        ms->processed = metric_add(
                m, &(struct metric_spec){.name = "warren_jobs_processed_total",
                                         .help = "Attempts that ended, by the job's status then.",
                                         .kind = METRIC_COUNTER,
                                         .labels = {"type", "status"}});
        ms->failed = metric_add(
                m, &(struct metric_spec){.name = "warren_jobs_failed_total",
                                         .help = "Attempts that failed, by kind of error, and "
                                                 "burials, by reason.",
                                         .kind = METRIC_COUNTER,
                                         .labels = {"type", "reason"}});
        ms->retries = metric_add(m, &(struct metric_spec){.name = "warren_job_retries_total",
                                                          .help = "Retries published.",
                                                          .kind = METRIC_COUNTER,
                                                          .labels = {"type"}});
        ms->processing = metric_add(
                m, &(struct metric_spec){.name = "warren_job_processing_duration_seconds",
                                         .help = "Time an attempt took in its handler.",
                                         .kind = METRIC_HISTOGRAM,
                                         .labels = {"type"}});
        ms->wait = metric_add(
                m, &(struct metric_spec){.name = "warren_job_wait_duration_seconds",
                                         .help = "Time from when a job could run until it did.",
                                         .kind = METRIC_HISTOGRAM,
                                         .labels = {"priority"}});
        ms->confirm =
                metric_add(m, &(struct metric_spec){.name = "warren_publish_confirm_seconds",
                                                    .help = "Time from a publish to its confirm.",
                                                    .kind = METRIC_HISTOGRAM});
        ms->checked = metric_add(
                m, &(struct metric_spec){.name = "warren_duplicates_checked_total",
                                         .help = "Possible duplicates, by what was done with them.",
                                         .kind = METRIC_COUNTER,
                                         .labels = {"verdict"}});
        ms->hops = metric_add(
                m, &(struct metric_spec){.name = "warren_hops_total",
                                         .help = "Jobs sent away to come back later, by reason.",
                                         .kind = METRIC_COUNTER,
                                         .labels = {"reason"}});
        ms->active = metric_add(m, &(struct metric_spec){.name = "warren_workers_active",
                                                         .help = "Attempts running now.",
                                                         .kind = METRIC_GAUGE});
        ms->slots = metric_add(m, &(struct metric_spec){.name = "warren_workers",
                                                        .help = "Attempts that can run at once.",
                                                        .kind = METRIC_GAUGE});
        ms->stale = metric_add(
                m, &(struct metric_spec){.name = "warren_handlers_stale",
                                         .help = "1 after a reload of handlers.json failed: the "
                                                 "old one is in force.",
                                         .kind = METRIC_GAUGE});
        ms->held = metric_add(m, &(struct metric_spec){.name = "warren_deliveries_held",
                                                       .help = "Attempts not yet settled.",
                                                       .kind = METRIC_GAUGE});
        ms->held_bytes = metric_add(m, &(struct metric_spec){.name = "warren_held_bytes",
                                                             .help = "Bytes of held deliveries.",
                                                             .kind = METRIC_GAUGE});
}
