/* SPDX-License-Identifier: Apache-2.0
 *
 * link.c: the public calls of a link.
 */
#include "common/amqp/link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/dispatcher.h"
#include "common/amqp/link_thread.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/feed.h"

enum { WINDOW_MESSAGES_DEFAULT = 1024, WINDOW_BYTES_DEFAULT = 1024 * 1024 };

struct link {
        struct link_settings settings;
        struct handover *handover;
        struct dispatcher *dispatcher;
        struct link_thread *thread;
};

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

static int begin(struct link *l, const struct link_config *c, struct err *e)
{
        const struct handover_config h = {
                .stream = l->settings.stream,
                .window_messages =
                        c->window_messages > 0 ? c->window_messages : WINDOW_MESSAGES_DEFAULT,
                .window_bytes = c->window_bytes > 0 ? c->window_bytes : WINDOW_BYTES_DEFAULT,
                .resend = c->resend,
                .ring = dispatcher_ring,
                .owner = l->dispatcher,
        };

        l->handover = handover_create(&h, e);
        if (l->handover == NULL)
                return -1;
        dispatcher_use(l->dispatcher, l->handover);
        l->thread = link_thread_start(&l->settings, l->handover, e);
        return l->thread == NULL ? -1 : 0;
}

struct link *link_create(const struct link_config *c, const struct link_events *on, void *owner,
                         uv_loop_t *loop, struct err *e)
{
        AUTO(link) l = xcalloc(1, sizeof(*l));

        if (settings_init(&l->settings, c, e) < 0)
                return NULL;
        l->dispatcher = dispatcher_create(on, owner, loop, e);
        if (l->dispatcher == NULL || begin(l, c, e) < 0)
                return NULL;
        return TAKE(l);
}

void link_destroy(struct link **link)
{
        struct link *l = TAKE(*link);

        if (l == NULL)
                return;
        link_thread_end(&l->thread);
        dispatcher_destroy(&l->dispatcher);
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

bool link_is_blocked(const struct link *l)
{
        return handover_is_blocked(l->handover);
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
        return dispatcher_subscribe(l->dispatcher, source, on, owner);
}

void link_unsubscribe(struct subscription **subscription)
{
        struct subscription *s = TAKE(*subscription);

        if (s != NULL)
                dispatcher_unsubscribe(s);
}

void link_renew(struct link *l)
{
        dispatcher_renew(l->dispatcher);
}

void link_settle(struct delivery **d, enum settle how)
{
        if (*d != NULL)
                dispatcher_settle(TAKE(*d), how);
}

bool delivery_is_live(const struct delivery *d)
{
        return dispatcher_is_live(d);
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

        dispatcher_await_drain(l->dispatcher, done, owner);
        handover_close(l->handover);
        handover_order(l->handover, o);
}
