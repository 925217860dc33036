/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_sizes.c: shows the counts of the lanes.
 */
#include "status-store/queue_sizes.h"

#include <stdlib.h>

#include "common/base/memory.h"

struct queue_sizes {
        struct lane_counts *counts;
        struct metric *metric;
};

static void show(void *owner, const char *tenant, enum lane lane, uint32_t jobs)
{
        struct queue_sizes *q = owner;

        metric_increment(q->metric, jobs, tenant, lane_name(lane));
}

static void collect(void *owner)
{
        struct queue_sizes *q = owner;

        metric_reset(q->metric);
        lane_counts_want_all(q->counts);
        lane_counts_each(q->counts, show, q);
}

struct queue_sizes *queue_sizes_create(struct metrics *metrics, struct lane_counts *counts,
                                       size_t tenants_max)
{
        struct queue_sizes *q = xcalloc(1, sizeof(*q));
        const struct metric_spec spec = {
                .name = "warren_queue_size",
                .help = "Jobs that wait in a queue, without those that a consumer has.",
                .kind = METRIC_GAUGE,
                .labels = {"tenant", "lane"},
                .series_max = tenants_max * LANE_COUNT + 1,
        };

        q->counts = counts;
        q->metric = metric_add(metrics, &spec);
        metrics_on_collect(metrics, collect, q);
        return q;
}

void queue_sizes_destroy(struct queue_sizes **q)
{
        free(*q);
        *q = NULL;
}
