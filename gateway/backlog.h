/* SPDX-License-Identifier: Apache-2.0
 *
 * backlog.h: how many jobs of a tenant are pending, so that more can be refused. The tenant's
 * queues are counted once a second while it submits, and at once when it begins to submit. Counting
 * has a link of its own, because the broker closes the channel when it refuses a count.
 *
 * backlog_admit, backlog_return: any thread. All else: the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/amqp/link.h"

struct backlog;

struct backlog *backlog_create(const struct link_config *c, uv_loop_t *loop,
                               struct err *e) MUST_CHECK;
/* The memory is freed in the loop's next turn, when its timer has closed. */
void backlog_destroy(struct backlog **b);

/* Admits and counts one more job; false when the tenant has max_pending already (RECORD_UNLIMITED:
 * no limit). *retry is set then, to the seconds until there is room, 1 to 60, by how fast the jobs
 * leave the queues. A tenant's first call in ten seconds waits for a count, half a second at most.
 */
bool backlog_admit(struct backlog *b, const char *tenant, int64_t max_pending, int64_t *retry);
/* Uncounts a job that was admitted and never sent. */
void backlog_return(struct backlog *b, const char *tenant);
/* Frees what is held for a deleted tenant. */
void backlog_forget(struct backlog *b, const char *tenant);
