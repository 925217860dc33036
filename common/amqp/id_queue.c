/* SPDX-License-Identifier: Apache-2.0
 *
 * id_queue.c: an array, filled from its start again whenever the queue is empty.
 */
#include "common/amqp/id_queue.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"

enum { SIZE_MIN = 64 };

void id_queue_add(struct id_queue *q, uint64_t id)
{
        if (q->count == 0)
                q->first = 0;
        if (q->first + q->count == q->size) {
                q->size = q->size == 0 ? SIZE_MIN : q->size * 2;
                q->ids = xrealloc(q->ids, q->size * sizeof(uint64_t));
        }
        q->ids[q->first + q->count++] = id;
}

uint64_t id_queue_take(struct id_queue *q)
{
        if (q->count == 0)
                return 0;
        q->count--;
        return q->ids[q->first++];
}

void id_queue_clear(struct id_queue *q)
{
        q->first = q->count = 0;
}

void id_queue_fini(struct id_queue *q)
{
        free(TAKE(q->ids));
        *q = (struct id_queue){0};
}
