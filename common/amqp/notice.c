/* SPDX-License-Identifier: Apache-2.0
 *
 * notice.c: makes plain notices.
 */
#include "common/amqp/notice.h"

#include "common/base/memory.h"

struct notice_plain *notice_add(struct node_list *l, enum notice_kind kind)
{
        struct notice_plain *n = xcalloc(1, sizeof(*n));

        n->notice.kind = kind;
        node_list_add(l, &n->notice.node);
        return n;
}
