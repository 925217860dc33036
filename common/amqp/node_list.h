/* SPDX-License-Identifier: Apache-2.0
 *
 * node_list.h: a singly linked queue of structs whose first member is a node.
 */
#pragma once

struct node {
        struct node *next;
};

struct node_list {
        struct node *first, *last;
};

void node_list_add(struct node_list *l, struct node *n);
void node_list_append(struct node_list *l, struct node_list *more);   /* empties more */
void node_list_prepend(struct node_list *l, struct node_list *front); /* empties front */
struct node *node_list_take(struct node_list *l);                     /* NULL when empty */
