/* SPDX-License-Identifier: Apache-2.0
 *
 * id_queue.h: a queue of ids, oldest first; 0 is no id.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised: empty. */
struct id_queue {
        uint64_t *ids;
        size_t first, count, size;
};

void id_queue_add(struct id_queue *q, uint64_t id);
uint64_t id_queue_take(struct id_queue *q);
void id_queue_clear(struct id_queue *q);
void id_queue_fini(struct id_queue *q);
