/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_counter.h: counts the jobs that wait in each queue of a tenant, by passive declares on a
 * link of its own: others must not wait for their answers, nor for a channel closed by a refusal.
 *
 * queue_counter_count: any thread; calls back on the loop's thread. The others: the loop's thread.
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
        LANE_UNCOUNTED, /* no answer, or another refusal */
};

struct tenant_count {
        struct {
                enum lane_count_state state;
                uint32_t jobs; /* ready messages; unacked ones do not count */
        } lanes[LANE_COUNT];
};

/* tenant and c are lent for the call. */
typedef void tenant_counted_fn(void *owner, const char *tenant, const struct tenant_count *c);

struct queue_counter *queue_counter_create(const struct link_config *c, uv_loop_t *loop,
                                           struct err *e) MUST_CHECK;
/* Running counts call back before it returns. */
void queue_counter_destroy(struct queue_counter **q);
/* Any thread. */
bool queue_counter_is_up(const struct queue_counter *q);
/* Calls done once, when there is an answer for every lane. */
void queue_counter_count(struct queue_counter *q, const char *tenant, tenant_counted_fn *done,
                         void *owner);

#endif
