/* SPDX-License-Identifier: Apache-2.0
 *
 * backlog.h: how many jobs of a tenant are pending, so that more can be refused: its queues are
 * counted once a second while it submits, and at once when it begins to. A link of its own: a
 * refused count closes the channel.
 *
 * backlog_admit, backlog_return: any thread; everything else: the loop's.
 */
#ifndef WARREN_GATEWAY_BACKLOG_H
#define WARREN_GATEWAY_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/amqp/link.h"

struct backlog;

struct backlog *backlog_create(const struct link_config *c, uv_loop_t *loop,
                               struct err *e) MUST_CHECK;
/* Its timer closes with the loop's next turn. */
void backlog_destroy(struct backlog **b);

/* Counts one more in; false when the tenant has max_pending (RECORD_UNLIMITED: never) already. The
 * first of a tenant in ten seconds waits for a count, half a second at most. */
bool backlog_admit(struct backlog *b, const char *tenant, int64_t max_pending);
/* Takes one back that was counted in and never sent. */
void backlog_return(struct backlog *b, const char *tenant);
/* A deleted tenant. */
void backlog_forget(struct backlog *b, const char *tenant);

#endif
