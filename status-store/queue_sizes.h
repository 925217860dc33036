/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_sizes.h: metric warren_queue_size: how many jobs wait in each lane of each tenant.
 *
 * The queues are counted by passive declare: a pass over all at most every 15 s, and only while the
 * metrics are read. Reading shows the last counts and never waits for the broker. The passes have a
 * link of their own: a link answers declarations in order, and changes of tenants must not wait.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/clients/control.h"
#include "common/metrics/metrics.h"

struct queue_sizes;

struct queue_sizes_config {
        struct link_config link;
        struct control *control; /* borrowed; knows the tenants */
        struct metrics *metrics; /* borrowed */
        size_t tenants_max;      /* the lanes of further tenants share one series, `other` */
};

/* Adds the metric. Loop thread, like queue_sizes_destroy. */
struct queue_sizes *queue_sizes_create(const struct queue_sizes_config *c, uv_loop_t *loop,
                                       struct err *e) MUST_CHECK;
/* After the last exposition of the metrics. */
void queue_sizes_destroy(struct queue_sizes **q);
