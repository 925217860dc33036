/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_counter.h: how many jobs wait in each queue of a tenant, counted by passive declare on a
 * link of its own: a refused count closes a channel, and answers come in order.
 *
 * queue_counter_count: any thread; the answer comes on the loop's. The rest: the loop's thread.
 */
#ifndef WARREN_CLIENTS_QUEUE_COUNTER_H
#define WARREN_CLIENTS_QUEUE_COUNTER_H

#include "common/amqp/link.h"
#include "common/model/job.h"
#include "common/model/lane.h"

struct queue_counter;

enum lane_count_state {
        LANE_COUNTED,
        LANE_ABSENT,    /* there is no such queue */
        LANE_UNCOUNTED, /* the broker did not say */
};

struct tenant_count {
        struct {
                enum lane_count_state state;
                uint32_t jobs; /* ready ones */
        } lanes[LANE_COUNT];
};

/* Lent. */
typedef void tenant_counted_fn(void *owner, const char *tenant, const struct tenant_count *c);

struct queue_counter *queue_counter_create(const struct link_config *c, uv_loop_t *loop,
                                           struct err *e) MUST_CHECK;
/* Counts under way are answered before it returns. */
void queue_counter_destroy(struct queue_counter **q);
/* Any thread. */
bool queue_counter_is_up(const struct queue_counter *q);
/* done runs once, when all lanes have been answered. */
void queue_counter_count(struct queue_counter *q, const char *tenant, tenant_counted_fn *done,
                         void *owner);

#endif
