/* SPDX-License-Identifier: Apache-2.0
 *
 * settles.c: acks and requeues on the link's thread. Each ack costs the broker an entry in a
 * queue's log, so acks wait a little for company: until a quarter of a prefetch is acked, or
 * LAZY_ACK has passed. Deliveries not yet settled are kept in the order of their tags; when the
 * oldest are all acked, one basic.ack says so for all of them. One that was acked behind an older
 * delivery waits once more for that, then has an ack of its own. On a stream an ack only gives
 * credit: no hurry. A delivery keeps its bytes until its ack is written, so when the link's budget
 * for reading is spent none waits.
 */
#include <stdlib.h>
#include <utlist.h>

#include "common/amqp/link_parts.h"

void settles_track(struct link *l, struct box *b)
{
        uint16_t prefetch = b->delivery.subscription->source.prefetch;

        b->company = prefetch < 8 ? 1 : prefetch / 4;
        b->listed = true;
        l->engine.unsettled_bytes += b->size;
        DL_APPEND(l->engine.unsettled, b);
}

static void forget(struct link *l, struct box *b)
{
        DL_DELETE(l->engine.unsettled, b);
        b->listed = false;
}

static void box_free(struct link *l, struct box *b)
{
        l->engine.unsettled_bytes -= b->size;
        free(b);
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

static void remember(struct engine *en, struct box *b, msec now)
{
        b->acked = true;
        node_list_add(&en->acked, &b->notice.node);
        if (en->acked_count++ == 0 || b->company < en->acked_enough)
                en->acked_enough = b->company;
        if (!b->stream && en->acked_since == 0)
                en->acked_since = now;
}

int settles_take(struct link *l, struct node_list *settles)
{
        int result = 0;
        msec now = settles->first == NULL ? 0 : clock_mono();

        for (struct node *n; (n = node_list_take(settles)) != NULL;) {
                struct box *b = (struct box *)n;
                if (b->listed && (b->stream || b->how == SETTLE_ACK)) {
                        remember(&l->engine, b, now);
                        continue;
                }
                if (b->listed && requeue(l, b) < 0)
                        result = -1;
                box_free(l, b);
        }
        return result;
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

/* Those behind an older delivery. */
static int ack_others(struct link *l, bool all)
{
        struct engine *en = &l->engine;
        struct node_list list = en->acked;
        int result = 0;

        en->acked = (struct node_list){0};
        en->acked_count = 0;
        en->acked_since = 0;
        for (struct node *n; (n = node_list_take(&list)) != NULL;) {
                struct box *b = (struct box *)n;
                if (b->listed && !b->waited && b->company > 1 && !all) {
                        b->waited = true;
                        remember(en, b, clock_mono());
                        continue;
                }
                if (b->listed) {
                        forget(l, b);
                        if (result == 0)
                                result = ack(l, b->tag, false);
                }
                box_free(l, b);
        }
        return result;
}

int settles_write(struct link *l, bool all)
{
        struct engine *en = &l->engine;

        if (en->acked_count == 0 || !engine_is_connected(l))
                return 0;
        bool late = en->acked_since != 0 && clock_mono() - en->acked_since >= LAZY_ACK;
        if (!all && !late && en->acked_count < en->acked_enough)
                return 0;
        if (ack_oldest(l) < 0)
                return -1;
        return ack_others(l, all);
}

msec settles_deadline(const struct link *l)
{
        return l->engine.acked_since == 0 ? 0 : l->engine.acked_since + LAZY_ACK;
}

void settles_disconnected(struct link *l)
{
        struct engine *en = &l->engine;

        while (en->unsettled != NULL)
                forget(l, en->unsettled);
        for (struct node *n; (n = node_list_take(&en->acked)) != NULL;)
                box_free(l, (struct box *)n);
        en->acked_count = 0;
        en->acked_since = 0;
}
