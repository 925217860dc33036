/* SPDX-License-Identifier: Apache-2.0
 *
 * settles.c: acks and requeues on the link's thread. Deliveries not yet settled are kept in the
 * order of their tags; when the oldest are all acked, one basic.ack says so for all of them.
 */
#include <stdlib.h>
#include <utlist.h>

#include "common/amqp/link_parts.h"

void settles_track(struct link *l, struct box *b)
{
        b->listed = true;
        DL_APPEND(l->engine.unsettled, b);
}

static void forget(struct link *l, struct box *b)
{
        DL_DELETE(l->engine.unsettled, b);
        b->listed = false;
}

static int requeue(struct link *l, struct box *b)
{
        forget(l, b);
        int status = amqp_basic_nack(l->engine.connection, WORK_CHANNEL, b->tag, 0, 1);
        return status == AMQP_STATUS_OK ? 0 : engine_fail_status(l, status, "requeue");
}

static int ack(struct link *l, uint64_t tag, bool multiple)
{
        int status = amqp_basic_ack(l->engine.connection, WORK_CHANNEL, tag, multiple);

        return status == AMQP_STATUS_OK ? 0 : engine_fail_status(l, status, "ack");
}

static int ack_oldest(struct link *l)
{
        uint64_t last = 0;

        while (l->engine.unsettled != NULL && l->engine.unsettled->acked) {
                last = l->engine.unsettled->tag;
                forget(l, l->engine.unsettled);
        }
        return last == 0 ? 0 : ack(l, last, true);
}

static int write_settles(struct link *l, const struct node_list *settles)
{
        for (struct node *n = settles->first; n != NULL; n = n->next) {
                struct box *b = (struct box *)n;
                b->acked = b->listed && (b->stream || b->how == SETTLE_ACK);
                if (b->listed && !b->acked && requeue(l, b) < 0)
                        return -1;
        }
        if (ack_oldest(l) < 0)
                return -1;
        for (struct node *n = settles->first; n != NULL; n = n->next) {
                struct box *b = (struct box *)n;
                if (!b->listed)
                        continue;
                forget(l, b);
                if (ack(l, b->tag, false) < 0)
                        return -1;
        }
        return 0;
}

int settles_write(struct link *l, struct node_list *settles)
{
        int result = 0;

        if (settles->first == NULL)
                return 0;
        bool many = settles->first != settles->last;
        if (engine_is_connected(l)) {
                if (many)
                        connection_cork(l, true);
                result = write_settles(l, settles);
                if (many)
                        connection_cork(l, false);
        }
        for (struct node *n; (n = node_list_take(settles)) != NULL;) {
                struct box *b = (struct box *)n;
                if (b->listed)
                        forget(l, b);
                free(b);
        }
        return result;
}

void settles_disconnected(struct link *l)
{
        while (l->engine.unsettled != NULL)
                forget(l, l->engine.unsettled);
}
