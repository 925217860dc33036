/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_sizes.h: how many jobs wait in each lane of each tenant, as metric warren_queue_size.
 *
 * The queues are counted by passive declare, in passes at most every 15 s and only while somebody
 * reads the metrics: reading shows what is known, and never waits for the broker. A pass is spread
 * over time, and has a link of its own: a link's declarations are answered in order, and no change
 * of a tenant shall wait behind a pass.
 */
#ifndef WARREN_STATUS_STORE_QUEUE_SIZES_H
#define WARREN_STATUS_STORE_QUEUE_SIZES_H

#include "common/amqp/link.h"
#include "common/clients/control.h"
#include "common/metrics/metrics.h"

struct queue_sizes;

struct queue_sizes_config {
        struct link_config link;
        struct control *control; /* borrowed: which tenants there are */
        struct metrics *metrics; /* borrowed */
        size_t tenants_max;      /* the lanes of more are one series, `other` */
};

/* Adds its metric. Loop thread, like queue_sizes_destroy. */
struct queue_sizes *queue_sizes_create(const struct queue_sizes_config *c, uv_loop_t *loop,
                                       struct err *e) MUST_CHECK;
/* After the last exposition of the metrics. */
void queue_sizes_destroy(struct queue_sizes **q);

#endif
