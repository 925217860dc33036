/* SPDX-License-Identifier: Apache-2.0
 *
 * due_soon.h: holds attempts that are due soon, and reports each when it is due, never early. Loop
 * thread only.
 */
#pragma once

#include "common/base/alarm.h"
#include "consumer/attempt.h"

struct due_soon;

typedef void due_fn(void *owner, struct attempt *a);

struct due_soon *due_soon_create(uv_loop_t *loop, due_fn *due, void *owner);
/* Does not free the attempts still held. */
void due_soon_destroy(struct due_soon **d);
/* They are counted in tenant_queue.due. */
void due_soon_add(struct due_soon *d, struct attempt *a);
void due_soon_remove(struct due_soon *d, struct attempt *a);
