/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_sizes.h: metric warren_queue_size: how many jobs wait in each lane of each tenant.
 */
#pragma once

#include "common/metrics/metrics.h"
#include "status-store/lane_counts.h"

struct queue_sizes;

/* Adds the metric, whose reading keeps the lanes counted. metrics and counts are borrowed. The
 * lanes of tenants beyond tenants_max share one series, `other`. */
struct queue_sizes *queue_sizes_create(struct metrics *metrics, struct lane_counts *counts,
                                       size_t tenants_max);
/* After the last exposition of the metrics. */
void queue_sizes_destroy(struct queue_sizes **q);
