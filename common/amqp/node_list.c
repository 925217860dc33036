/* SPDX-License-Identifier: Apache-2.0
 *
 * node_list.c: first in, first out.
 */
#include "common/amqp/node_list.h"

#include <stddef.h>

void node_list_add(struct node_list *l, struct node *n)
{
        n->next = NULL;
        if (l->first == NULL)
                l->first = n;
        else
                l->last->next = n;
        l->last = n;
}

void node_list_append(struct node_list *l, struct node_list *more)
{
        if (more->first == NULL)
                return;
        if (l->first == NULL)
                l->first = more->first;
        else
                l->last->next = more->first;
        l->last = more->last;
        *more = (struct node_list){0};
}

void node_list_prepend(struct node_list *l, struct node_list *front)
{
        node_list_append(front, l);
        *l = *front;
        *front = (struct node_list){0};
}

struct node *node_list_take(struct node_list *l)
{
        struct node *n = l->first;

        if (n == NULL)
                return NULL;
        l->first = n->next;
        if (l->first == NULL)
                l->last = NULL;
        n->next = NULL;
        return n;
}
