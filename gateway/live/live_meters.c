/* SPDX-License-Identifier: Apache-2.0
 *
 * live_meters.c: names and texts of the metrics.
 */
#include "gateway/live/live_meters.h"

void live_meters_init(struct live_meters *m, struct metrics *metrics)
{
        m->clients =
                metric_add(metrics, &(struct metric_spec){.kind = METRIC_GAUGE,
                                                          .name = "warren_live_clients",
                                                          .help = "Clients of the live feed."});
        m->events = metric_add(
                metrics, &(struct metric_spec){.kind = METRIC_COUNTER,
                                               .name = "warren_live_events_total",
                                               .help = "Events read for the live feed, which is "
                                                       "while it has clients."});
        m->skipped = metric_add(
                metrics, &(struct metric_spec){.kind = METRIC_COUNTER,
                                               .name = "warren_live_skipped_total",
                                               .help = "Events, members of events and entries of "
                                                       "packs that the live feed cannot read."});
        m->dropped = metric_add(
                metrics, &(struct metric_spec){.kind = METRIC_COUNTER,
                                               .name = "warren_live_dropped_total",
                                               .help = "Events left out for clients of the live "
                                                       "feed that are too slow."});
        m->gaps = metric_add(
                metrics, &(struct metric_spec){.kind = METRIC_COUNTER,
                                               .name = "warren_live_gaps_total",
                                               .help = "Times that a client of the live feed was "
                                                       "told that events may be missing.",
                                               .labels = {"why"}});
}
