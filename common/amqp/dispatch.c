/* SPDX-License-Identifier: Apache-2.0
 *
 * dispatch.c: hands the notices of a link's thread to their owners, on the loop's thread. A
 * callback may destroy the link.
 */
#include <stdlib.h>
#include <utlist.h>

#include "common/amqp/link_parts.h"

void link_report_published(struct link *l, struct publish *p)
{
        struct publish_wait wait = p->wait;
        enum link_result result = p->result;

        atomic_fetch_sub(&l->in_flight, 1);
        atomic_fetch_sub(&l->in_flight_bytes, p->cost);
        free(p);
        wait.done(wait.owner, result);
}

void link_report_declared(struct request *r)
{
        if (r->done != NULL)
                r->done(r->owner, err_is_set(&r->why) ? &r->why : NULL, r->messages, r->consumers);
        free(r);
}

/* Only the thread may free a delivery, which it may have in its list: so what nobody wants goes
 * back to it. */
static void report_delivery(struct link *l, struct box *b)
{
        struct subscription *s = b->delivery.subscription;

        if (s->closed || atomic_load(&l->live_epoch) != b->epoch) {
                link_give_back(b, SETTLE_REQUEUE);
                return;
        }
        DL_APPEND2(l->held, b, held_prev, held_next);
        s->on(s->owner, &b->delivery);
}

static void report_where(struct link *l, const struct notice_plain *n)
{
        struct subscription *s = n->subscription;
        struct order o = {.kind = ORDER_CONSUME, .subscription = s, .epoch = n->epoch};

        if (s->closed)
                return;
        o.start = s->source.start(s->owner, &o.offset);
        link_order(l, o);
}

static void report_plain(struct link *l, const struct notice_plain *n)
{
        struct subscription *s = n->subscription;

        switch (n->notice.kind) {
        case NOTICE_UP:
                if (l->on.up != NULL)
                        l->on.up(l->owner);
                break;
        case NOTICE_DOWN:
                if (l->on.down != NULL)
                        l->on.down(l->owner, &n->why);
                break;
        case NOTICE_BLOCKED:
        case NOTICE_UNBLOCKED:
                if (l->on.blocked != NULL)
                        l->on.blocked(l->owner, n->notice.kind == NOTICE_BLOCKED);
                break;
        case NOTICE_REFUSED:
                if (l->on.refused != NULL && !s->closed)
                        l->on.refused(l->owner, s, &n->why);
                break;
        case NOTICE_WHERE:
                report_where(l, n);
                break;
        case NOTICE_GONE:
                DL_DELETE(l->subscriptions, s);
                subscription_free(s);
                break;
        case NOTICE_DRAINED:
                if (l->drained != NULL)
                        l->drained(l->drained_owner, n->clean);
                break;
        case NOTICE_DELIVERY:
        case NOTICE_PUBLISHED:
        case NOTICE_DECLARED:
                break;
        }
}

static void report(struct link *l, struct notice *n)
{
        switch (n->kind) {
        case NOTICE_DELIVERY:
                report_delivery(l, (struct box *)n);
                return;
        case NOTICE_PUBLISHED:
                link_report_published(l, (struct publish *)n);
                return;
        case NOTICE_DECLARED:
                link_report_declared((struct request *)n);
                return;
        case NOTICE_UP:
        case NOTICE_DOWN:
        case NOTICE_BLOCKED:
        case NOTICE_UNBLOCKED:
        case NOTICE_REFUSED:
        case NOTICE_WHERE:
        case NOTICE_GONE:
        case NOTICE_DRAINED:
                report_plain(l, (struct notice_plain *)n);
                free(n);
                return;
        }
}

void link_dispatch(uv_async_t *async)
{
        const struct doorbell *d = async->data;
        struct link *l = d->link;
        bool destroyed = false;
        struct node *n;

        if (l == NULL)
                return;
        pthread_mutex_lock(&l->mutex);
        node_list_append(&l->dispatching, &l->outbox);
        pthread_mutex_unlock(&l->mutex);
        l->destroyed = &destroyed;
        while ((n = node_list_take(&l->dispatching)) != NULL) {
                report(l, (struct notice *)n);
                if (destroyed)
                        return;
        }
        l->destroyed = NULL;
}
