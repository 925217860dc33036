/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_counter.h: counts the jobs that wait in each queue of a tenant, by passive declares.
 */
#pragma once

#include "common/amqp/link.h"
#include "common/model/job.h"
#include "common/model/lane.h"

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

/* Calls done once, on the loop's thread, when there is an answer for every lane. Any thread. Lend
 * it a link that does nothing else: others must not wait for these answers, nor for a channel
 * closed by a refusal. */
void queue_counter_count(struct link *l, const char *tenant, tenant_counted_fn *done, void *owner);
