/* SPDX-License-Identifier: Apache-2.0
 *
 * measures.c: the table of the consumer's metrics.
 */
#include "consumer/measures.h"

#include <stddef.h>

/* clang-format off */
#define METRIC(field, name_, kind_, help_, ...) \
        {offsetof(struct measures, field), \
         {.name = (name_), .help = (help_), .kind = METRIC_##kind_, .labels = {__VA_ARGS__}}}

static const struct {
        size_t at; /* of the field */
        struct metric_spec spec;
} table[] = {
        METRIC(processed, "warren_jobs_processed_total", COUNTER,
               "Attempts that ended, by the job's status then.", "type", "status"),
        METRIC(failed, "warren_jobs_failed_total", COUNTER,
               "Attempts that failed, by kind of error, and burials, by reason.", "type", "reason"),
        METRIC(retries, "warren_job_retries_total", COUNTER,
               "Retries published.", "type"),
        METRIC(processing, "warren_job_processing_duration_seconds", HISTOGRAM,
               "Time an attempt took in its handler.", "type"),
        METRIC(wait, "warren_job_wait_duration_seconds", HISTOGRAM,
               "Time from when a job could run until it did.", "priority"),
        METRIC(confirm, "warren_publish_confirm_seconds", HISTOGRAM,
               "Time from a publish to its confirm."),
        METRIC(checked, "warren_duplicates_checked_total", COUNTER,
               "Possible duplicates, by what was done with them.", "verdict"),
        METRIC(hops, "warren_hops_total", COUNTER,
               "Jobs sent away to come back later, by reason.", "reason"),
        METRIC(parked, "warren_jobs_parked_total", COUNTER,
               "Jobs put into the queue of a pause.", "type"),
        METRIC(marks, "warren_marks_held", GAUGE,
               "Marks of cancelled and moved jobs that are held."),
        METRIC(blind, "warren_marks_unread", GAUGE,
               "1 while marks may be in force that were not read: each start is asked about."),
        METRIC(active, "warren_workers_active", GAUGE,
               "Attempts running now."),
        METRIC(slots, "warren_workers", GAUGE,
               "Attempts that can run at once."),
        METRIC(tenant_slots, "warren_slots", GAUGE,
               "Slots of tenants' running limits, held here or waited for.", "tenant", "state"),
        METRIC(stale, "warren_handlers_stale", GAUGE,
               "1 after a reload of handlers.json failed: the old one is in force."),
        METRIC(held, "warren_deliveries_held", GAUGE,
               "Attempts not yet settled."),
        METRIC(held_bytes, "warren_held_bytes", GAUGE,
               "Bytes of held deliveries."),
};
/* clang-format on */

void measures_init(struct measures *ms, struct metrics *m)
{
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                *(struct metric **)((char *)ms + table[i].at) = metric_add(m, &table[i].spec);
}
