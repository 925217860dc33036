/* SPDX-License-Identifier: Apache-2.0
 *
 * queue_list.c: a table of queues by name.
 */
#include "common/doctor/queue_list.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

struct listed_queue *queue_list_find(const struct queue_list *list, const char *name)
{
        struct listed_queue *queue = NULL;

        HASH_FIND_STR(list->queues, name, queue);
        return queue;
}

static void add_queue(void *owner, const char *name, int64_t messages)
{
        struct queue_list *list = owner;

        if (queue_list_find(list, name) != NULL)
                return;
        struct listed_queue *queue = xcalloc(1, sizeof(*queue));
        queue->name = xstrdup(name);
        queue->messages = messages;
        HASH_ADD_KEYPTR(hh, list->queues, queue->name, strlen(queue->name), queue);
}

int queue_list_read(struct queue_list *list, const struct doctor_broker *b, struct err *e)
{
        return broker_api_each_queue(b, add_queue, list, e);
}

void queue_list_fini(struct queue_list *list)
{
        struct listed_queue *queue, *next;

        HASH_ITER (hh, list->queues, queue, next) {
                HASH_DEL(list->queues, queue);
                free(queue->name);
                free(queue);
        }
}
