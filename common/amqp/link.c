/* SPDX-License-Identifier: Apache-2.0
 *
 * link.c: the loop's side of a link: starts its thread, hands over what callers want, and hands
 * each notice to its owner.
 */
#include "common/amqp/link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/amqp/link_thread.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/feed.h"

enum { WINDOW_MESSAGES_DEFAULT = 1024, WINDOW_BYTES_DEFAULT = 1024 * 1024 };

/* Lives until the loop has closed its handle. */
struct bell {
        uv_async_t async;
        struct link *link; /* NULL once destroyed */
};

struct link {
        /* before start */
        struct link_settings settings;
        struct link_events on;
        void *owner;
        struct bell *bell;
        struct handover *handover;
        struct link_thread *thread;

        /* loop only */
        uint64_t connection;   /* of the last `up`; 0: down, or none yet */
        struct incoming *held; /* by their owners, not yet settled */
        struct subscription *subscriptions;
        uint64_t next_id;
        struct node_list notices;
        bool *destroyed; /* not NULL while callbacks run: link_destroy sets it */
        drained_fn *drained;
        void *drained_owner;
};

static bool is_live(const struct incoming *in)
{
        return in->home != NULL && handover_is_live(in->home->handover, in->channel, in->epoch);
}

static void settle(struct link *l, struct incoming *in, enum settle how)
{
        in->how = how;
        handover_settle(l->handover, in);
}

/* A delivery whose owner is gone goes back to the link's thread: its acker may still list it, so
 * only that thread may free it. */
static void report_delivery(struct link *l, struct incoming *in)
{
        struct subscription *s = in->delivery.subscription;

        in->home = l;
        if (s->closed || !is_live(in)) {
                settle(l, in, SETTLE_REQUEUE);
                return;
        }
        DL_APPEND2(l->held, in, held_prev, held_next);
        s->on(s->owner, &in->delivery);
}

static void report_published(struct link *l, struct outgoing *o)
{
        struct publish_wait wait = o->wait;
        enum link_result result = o->result;

        handover_leave(l->handover, o->cost);
        free(o);
        wait.done(wait.owner, result);
}

static void report_declared(struct request *r)
{
        if (r->done != NULL)
                r->done(r->owner, err_is_set(&r->why) ? &r->why : NULL, r->messages, r->consumers);
        free(r);
}

static void report_where(struct link *l, const struct notice_plain *n)
{
        struct subscription *s = n->subscription;
        struct order o = {.kind = ORDER_CONSUME, .subscription = s, .epoch = n->epoch};

        if (s->closed)
                return;
        o.start = s->source.start(s->owner, &o.offset);
        handover_order(l->handover, o);
}

static void free_subscription(struct subscription *s)
{
        free(s->queue);
        free(s);
}

/* Takes the notice. Its callback may destroy the link. */
static void report(struct link *l, struct notice *notice)
{
        struct notice_plain *n = (struct notice_plain *)notice;

        switch (notice->kind) {
        case NOTICE_DELIVERY:
                report_delivery(l, (struct incoming *)notice);
                return;
        case NOTICE_PUBLISHED:
                report_published(l, (struct outgoing *)notice);
                return;
        case NOTICE_DECLARED:
                report_declared((struct request *)notice);
                return;
        case NOTICE_UP:
                l->connection = n->epoch;
                if (l->on.up != NULL)
                        l->on.up(l->owner);
                break;
        case NOTICE_DOWN:
                l->connection = 0;
                if (l->on.down != NULL)
                        l->on.down(l->owner, &n->why);
                break;
        case NOTICE_BLOCKED:
        case NOTICE_UNBLOCKED:
                if (l->on.blocked != NULL)
                        l->on.blocked(l->owner, notice->kind == NOTICE_BLOCKED);
                break;
        case NOTICE_REFUSED:
                if (l->on.refused != NULL && !n->subscription->closed)
                        l->on.refused(l->owner, n->subscription, &n->why);
                break;
        case NOTICE_WHERE:
                report_where(l, n);
                break;
        case NOTICE_GONE:
                DL_DELETE(l->subscriptions, n->subscription);
                free_subscription(n->subscription);
                break;
        case NOTICE_DRAINED:
                if (l->drained != NULL)
                        l->drained(l->drained_owner, n->clean);
                break;
        }
        free(n);
}

static void on_ring(uv_async_t *async)
{
        const struct bell *bell = async->data;
        struct link *l = bell->link;
        bool destroyed = false;
        struct node *n;

        if (l == NULL)
                return;
        handover_take_notices(l->handover, &l->notices);
        l->destroyed = &destroyed;
        while ((n = node_list_take(&l->notices)) != NULL) {
                report(l, (struct notice *)n);
                if (destroyed)
                        return;
        }
        l->destroyed = NULL;
}

/* Wakes the loop: the handover has notices. Link's thread. */
static void ring(void *link)
{
        const struct link *l = link;

        uv_async_send(&l->bell->async);
}

static int make_bell(struct link *l, uv_loop_t *loop, struct err *e)
{
        AUTO_FREE struct bell *bell = xcalloc(1, sizeof(*bell));
        int status = uv_async_init(loop, &bell->async, on_ring);

        if (status != 0)
                return err_set(e, ERR_SYSTEM, "link: %s", uv_strerror(status));
        bell->async.data = bell;
        bell->link = l;
        l->bell = TAKE(bell);
        return 0;
}

static void bell_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static char *copy_of(const char *text)
{
        return text == NULL || text[0] == '\0' ? NULL : xstrdup(text);
}

static int settings_init(struct link_settings *s, const struct link_config *c, struct err *e)
{
        *s = (struct link_settings){
                .login = xstrdup(c->login),
                .password = xstrdup(c->password == NULL ? "" : c->password),
                .name = xstrdup(c->name),
                .stream = copy_of(c->stream),
                .ca_file = copy_of(c->ca_file),
                .heartbeat = c->heartbeat > 0 ? c->heartbeat : 10 * MSEC_SECOND,
                .confirm_timeout = c->confirm_timeout > 0 ? c->confirm_timeout : 5 * MSEC_SECOND,
                .window_messages =
                        c->window_messages > 0 ? c->window_messages : WINDOW_MESSAGES_DEFAULT,
                .window_bytes = c->window_bytes > 0 ? c->window_bytes : WINDOW_BYTES_DEFAULT,
                .read_bytes = c->read_bytes,
                .resend = c->resend,
                .unprobed = c->unprobed,
                .renew_when_told = c->renew_when_told,
        };
        return address_list_init(&s->addresses, c->urls, e);
}

static void settings_fini(struct link_settings *s)
{
        address_list_fini(&s->addresses);
        free(s->login);
        free(s->password);
        free(s->name);
        free(s->stream);
        free(s->ca_file);
}

struct link *link_create(const struct link_config *c, const struct link_events *on, void *owner,
                         uv_loop_t *loop, struct err *e)
{
        AUTO(link) l = xcalloc(1, sizeof(*l));

        if (on != NULL)
                l->on = *on;
        l->owner = owner;
        if (settings_init(&l->settings, c, e) < 0 || make_bell(l, loop, e) < 0)
                return NULL;
        l->handover = handover_create(&l->settings, ring, l, e);
        if (l->handover == NULL)
                return NULL;
        l->thread = link_thread_start(&l->settings, l->handover, e);
        return l->thread == NULL ? NULL : TAKE(l);
}

/* Reports how publishes and declarations ended; drops other notices. */
static void finish_notices(struct link *l)
{
        struct node *n;

        handover_take_notices(l->handover, &l->notices);
        while ((n = node_list_take(&l->notices)) != NULL) {
                struct notice *notice = (struct notice *)n;
                if (notice->kind == NOTICE_PUBLISHED || notice->kind == NOTICE_DECLARED)
                        report(l, notice);
                else
                        free(notice);
        }
}

void link_stop(struct link *l)
{
        if (l != NULL)
                link_thread_end(&l->thread);
}

void link_destroy(struct link **link)
{
        struct link *l = TAKE(*link);
        struct incoming *in;
        struct subscription *s, *next;

        if (l == NULL)
                return;
        link_thread_end(&l->thread);
        if (l->bell != NULL) {
                l->bell->link = NULL;
                uv_close((uv_handle_t *)&l->bell->async, bell_closed);
        }
        if (l->destroyed != NULL)
                *l->destroyed = true;
        if (l->handover != NULL)
                finish_notices(l);
        DL_FOREACH2 (l->held, in, held_next) {
                in->home = NULL;
        }
        DL_FOREACH_SAFE (l->subscriptions, s, next) {
                free_subscription(s);
        }
        handover_destroy(&l->handover);
        settings_fini(&l->settings);
        free(l);
}

static int check_feed(const struct link *l, const struct message *m, struct err *e)
{
        if (feed_is_of(m->exchange, l->settings.stream))
                return 0;
        return err_set(e, ERR_INVALID, "exchange %.*s does not feed the stream of this link: %s",
                       (int)m->exchange.length, m->exchange.data,
                       l->settings.stream == NULL ? "no stream" : l->settings.stream);
}

int link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                 struct err *e)
{
        if (check_feed(l, m, e) < 0)
                return -1;
        AUTO_FREE struct outgoing *o = outgoing_create(m, l->settings.login, e);
        if (o == NULL)
                return -1;
        if (done != NULL)
                o->wait = *done;
        if (handover_publish(l->handover, o, e) < 0)
                return -1;
        TAKE(o);
        return 0;
}

bool link_is_up(const struct link *l)
{
        return handover_is_up(l->handover);
}

bool link_is_ready(struct link *l, struct err *why)
{
        if (link_is_up(l))
                return true;
        (void)handover_refusal(l->handover, why);
        return false;
}

uint32_t link_in_flight(const struct link *l)
{
        return handover_in_flight(l->handover);
}

struct subscription *link_subscribe(struct link *l, const struct source *source, delivery_fn *on,
                                    void *owner)
{
        assert(source->queue != NULL && source->queue[0] != '\0');
        assert(strlen(source->queue) <= SHORT_STRING_MAX);
        assert(source->prefetch > 0);
        struct subscription *s = xcalloc(1, sizeof(*s));
        s->last_offset = s->unreadable = -1;
        s->home = l;
        s->id = ++l->next_id;
        s->queue = xstrdup(source->queue);
        s->source = *source;
        s->source.queue = s->queue;
        s->on = on;
        s->owner = owner;
        DL_APPEND(l->subscriptions, s);
        handover_order(l->handover, (struct order){.kind = ORDER_SUBSCRIBE, .subscription = s});
        return s;
}

void link_unsubscribe(struct subscription **subscription)
{
        struct subscription *s = TAKE(*subscription);

        if (s == NULL)
                return;
        assert(!s->closed);
        s->closed = true;
        handover_order(s->home->handover,
                       (struct order){.kind = ORDER_UNSUBSCRIBE, .subscription = s});
}

void link_renew(struct link *l)
{
        const struct order o = {.kind = ORDER_RENEW, .epoch = l->connection};

        if (l->connection != 0)
                handover_order(l->handover, o);
}

static struct incoming *incoming_of(const struct delivery *d)
{
        return (struct incoming *)((char *)d - offsetof(struct incoming, delivery));
}

void link_settle(struct delivery **d, enum settle how)
{
        struct delivery *delivery = TAKE(*d);

        if (delivery == NULL)
                return;
        struct incoming *in = incoming_of(delivery);
        struct link *l = in->home;
        if (l == NULL) {
                free(in);
                return;
        }
        DL_DELETE2(l->held, in, held_prev, held_next);
        settle(l, in, how);
}

bool delivery_is_live(const struct delivery *d)
{
        return is_live(incoming_of(d));
}

void link_declare(struct link *l, const struct declaration *d, declared_fn *done, void *owner)
{
        struct request *r = request_create(d);

        r->done = done;
        r->owner = owner;
        r->deadline = clock_mono() + l->settings.confirm_timeout;
        handover_request(l->handover, r);
}

void link_drain(struct link *l, msec limit, drained_fn *done, void *owner)
{
        const struct order o = {.kind = ORDER_DRAIN, .limit = limit > 0 ? limit : 1};

        l->drained = done;
        l->drained_owner = owner;
        handover_close(l->handover);
        handover_order(l->handover, o);
}
