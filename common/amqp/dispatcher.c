/* SPDX-License-Identifier: Apache-2.0
 *
 * dispatcher.c: hands each notice to its owner.
 */
#include "common/amqp/dispatcher.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"

/* Lives until the loop has closed its handle. */
struct bell {
        uv_async_t async;
        struct dispatcher *dispatcher; /* NULL once destroyed */
};

struct dispatcher {
        struct handover *handover;
        struct link_events on;
        void *owner;
        struct bell *bell;
        uint64_t connection;   /* of the last `up`; 0: down, or none yet */
        struct incoming *held; /* by their owners, not yet settled */
        struct subscription *subscriptions;
        uint64_t next_id;
        struct node_list notices;
        bool *destroyed; /* not NULL while callbacks run: dispatcher_destroy sets it */
        drained_fn *drained;
        void *drained_owner;
};

static void give_back(struct dispatcher *d, struct incoming *in, enum settle how)
{
        in->how = how;
        handover_settle(d->handover, in);
}

static bool is_live(const struct dispatcher *d, const struct incoming *in)
{
        return d != NULL && handover_is_live(d->handover, in->channel, in->epoch);
}

/* A delivery whose owner is gone goes back to the link's thread: its acker may still list it, so
 * only that thread may free it. */
static void report_delivery(struct dispatcher *d, struct incoming *in)
{
        struct subscription *s = in->delivery.subscription;

        if (s->closed || !is_live(d, in)) {
                give_back(d, in, SETTLE_REQUEUE);
                return;
        }
        in->home = d;
        DL_APPEND2(d->held, in, held_prev, held_next);
        s->on(s->owner, &in->delivery);
}

static void report_published(struct dispatcher *d, struct outgoing *o)
{
        struct publish_wait wait = o->wait;
        enum link_result result = o->result;

        handover_leave(d->handover, o->cost);
        free(o);
        wait.done(wait.owner, result);
}

static void report_declared(struct request *r)
{
        if (r->done != NULL)
                r->done(r->owner, err_is_set(&r->why) ? &r->why : NULL, r->messages, r->consumers);
        free(r);
}

static void report_where(struct dispatcher *d, const struct notice_plain *n)
{
        struct subscription *s = n->subscription;
        struct order o = {.kind = ORDER_CONSUME, .subscription = s, .epoch = n->epoch};

        if (s->closed)
                return;
        o.start = s->source.start(s->owner, &o.offset);
        handover_order(d->handover, o);
}

static void report_plain(struct dispatcher *d, const struct notice_plain *n)
{
        struct subscription *s = n->subscription;

        switch (n->notice.kind) {
        case NOTICE_UP:
                d->connection = n->epoch;
                if (d->on.up != NULL)
                        d->on.up(d->owner);
                break;
        case NOTICE_DOWN:
                d->connection = 0;
                if (d->on.down != NULL)
                        d->on.down(d->owner, &n->why);
                break;
        case NOTICE_BLOCKED:
        case NOTICE_UNBLOCKED:
                if (d->on.blocked != NULL)
                        d->on.blocked(d->owner, n->notice.kind == NOTICE_BLOCKED);
                break;
        case NOTICE_REFUSED:
                if (d->on.refused != NULL && !s->closed)
                        d->on.refused(d->owner, s, &n->why);
                break;
        case NOTICE_WHERE:
                report_where(d, n);
                break;
        case NOTICE_GONE:
                DL_DELETE(d->subscriptions, s);
                subscription_free(s);
                break;
        case NOTICE_DRAINED:
                if (d->drained != NULL)
                        d->drained(d->drained_owner, n->clean);
                break;
        case NOTICE_DELIVERY:
        case NOTICE_PUBLISHED:
        case NOTICE_DECLARED:
                break;
        }
}

static void report(struct dispatcher *d, struct notice *n)
{
        switch (n->kind) {
        case NOTICE_DELIVERY:
                report_delivery(d, (struct incoming *)n);
                return;
        case NOTICE_PUBLISHED:
                report_published(d, (struct outgoing *)n);
                return;
        case NOTICE_DECLARED:
                report_declared((struct request *)n);
                return;
        case NOTICE_UP:
        case NOTICE_DOWN:
        case NOTICE_BLOCKED:
        case NOTICE_UNBLOCKED:
        case NOTICE_REFUSED:
        case NOTICE_WHERE:
        case NOTICE_GONE:
        case NOTICE_DRAINED:
                report_plain(d, (struct notice_plain *)n);
                free(n);
                return;
        }
}

static void on_ring(uv_async_t *async)
{
        const struct bell *bell = async->data;
        struct dispatcher *d = bell->dispatcher;
        bool destroyed = false;
        struct node *n;

        if (d == NULL)
                return;
        handover_take_notices(d->handover, &d->notices);
        d->destroyed = &destroyed;
        while ((n = node_list_take(&d->notices)) != NULL) {
                report(d, (struct notice *)n);
                if (destroyed)
                        return;
        }
        d->destroyed = NULL;
}

void dispatcher_ring(void *dispatcher)
{
        struct dispatcher *d = dispatcher;

        uv_async_send(&d->bell->async);
}

struct dispatcher *dispatcher_create(const struct link_events *on, void *owner, uv_loop_t *loop,
                                     struct err *e)
{
        AUTO_FREE struct bell *bell = xcalloc(1, sizeof(*bell));
        int status = uv_async_init(loop, &bell->async, on_ring);

        if (status != 0) {
                err_set(e, ERR_SYSTEM, "link: %s", uv_strerror(status));
                return NULL;
        }
        struct dispatcher *d = xcalloc(1, sizeof(*d));
        if (on != NULL)
                d->on = *on;
        d->owner = owner;
        bell->async.data = bell;
        bell->dispatcher = d;
        d->bell = TAKE(bell);
        return d;
}

void dispatcher_use(struct dispatcher *d, struct handover *h)
{
        d->handover = h;
}

static void bell_closed(uv_handle_t *handle)
{
        free(handle->data);
}

/* Reports how publishes and declarations ended; drops other notices. */
static void finish_notices(struct dispatcher *d)
{
        struct node *n;

        if (d->handover != NULL)
                handover_take_notices(d->handover, &d->notices);
        while ((n = node_list_take(&d->notices)) != NULL) {
                struct notice *notice = (struct notice *)n;
                if (notice->kind == NOTICE_PUBLISHED)
                        report_published(d, (struct outgoing *)notice);
                else if (notice->kind == NOTICE_DECLARED)
                        report_declared((struct request *)notice);
                else
                        free(notice);
        }
}

void dispatcher_destroy(struct dispatcher **dispatcher)
{
        struct dispatcher *d = TAKE(*dispatcher);
        struct incoming *in, *next_in;
        struct subscription *s, *next_s;

        if (d == NULL)
                return;
        d->bell->dispatcher = NULL;
        uv_close((uv_handle_t *)&d->bell->async, bell_closed);
        if (d->destroyed != NULL)
                *d->destroyed = true;
        finish_notices(d);
        DL_FOREACH_SAFE2(d->held, in, next_in, held_next)
        {
                in->home = NULL;
        }
        DL_FOREACH_SAFE (d->subscriptions, s, next_s) {
                subscription_free(s);
        }
        free(d);
}

struct subscription *dispatcher_subscribe(struct dispatcher *d, const struct source *source,
                                          delivery_fn *on, void *owner)
{
        struct subscription *s = xcalloc(1, sizeof(*s));

        s->last_offset = s->unreadable = -1;
        s->home = d;
        s->id = ++d->next_id;
        s->queue = xstrdup(source->queue);
        s->source = *source;
        s->source.queue = s->queue;
        s->on = on;
        s->owner = owner;
        DL_APPEND(d->subscriptions, s);
        handover_order(d->handover, (struct order){.kind = ORDER_SUBSCRIBE, .subscription = s});
        return s;
}

void dispatcher_unsubscribe(struct subscription *s)
{
        struct dispatcher *d = s->home;

        assert(!s->closed);
        s->closed = true;
        handover_order(d->handover, (struct order){.kind = ORDER_UNSUBSCRIBE, .subscription = s});
}

void dispatcher_renew(struct dispatcher *d)
{
        const struct order o = {.kind = ORDER_RENEW, .epoch = d->connection};

        if (d->connection != 0)
                handover_order(d->handover, o);
}

static struct incoming *incoming_of(const struct delivery *d)
{
        return (struct incoming *)((char *)d - offsetof(struct incoming, delivery));
}

void dispatcher_settle(struct delivery *delivery, enum settle how)
{
        struct incoming *in = incoming_of(delivery);
        struct dispatcher *d = in->home;

        if (d == NULL) {
                free(in);
                return;
        }
        DL_DELETE2(d->held, in, held_prev, held_next);
        give_back(d, in, how);
}

bool dispatcher_is_live(const struct delivery *d)
{
        const struct incoming *in = incoming_of(d);

        return is_live(in->home, in);
}

void dispatcher_await_drain(struct dispatcher *d, drained_fn *done, void *owner)
{
        d->drained = done;
        d->drained_owner = owner;
}
