/* SPDX-License-Identifier: Apache-2.0
 *
 * link.c: a link's public calls and its life.
 */
#include "common/amqp/link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "common/amqp/link_parts.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum {
        WINDOW_MESSAGES_DEFAULT = 1024,
        WINDOW_BYTES_DEFAULT = 1024 * 1024,
        /* What a hostile peer nests in a table, rabbitmq-c decodes by recursion: 26 000 arrays fit
         * into a frame. */
        STACK_SIZE = 64 * 1024 * 1024,
};

void link_wake_locked(struct link *l)
{
        uint64_t one = 1;

        if (!l->sleeping)
                return;
        l->sleeping = false;
        ssize_t written = write(l->wake_fd, &one, sizeof(one));
        assert(written == sizeof(one));
}

static void link_free(struct link *l)
{
        address_list_fini(l);
        free(l->login);
        free(l->password);
        free(l->name);
        free(l->ca_file);
        free(l->stream);
        if (l->wake_fd >= 0)
                close(l->wake_fd);
        pthread_mutex_destroy(&l->mutex);
        free(l);
}

static struct link *link_new(const struct link_config *c, const struct link_events *on, void *owner)
{
        struct link *l = xcalloc(1, sizeof(*l));

        l->login = xstrdup(c->login);
        l->password = xstrdup(c->password == NULL ? "" : c->password);
        l->name = xstrdup(c->name);
        l->stream = c->stream == NULL ? NULL : xstrdup(c->stream);
        l->ca_file = c->ca_file == NULL || c->ca_file[0] == '\0' ? NULL : xstrdup(c->ca_file);
        l->heartbeat = c->heartbeat > 0 ? c->heartbeat : 10 * MSEC_SECOND;
        l->confirm_timeout = c->confirm_timeout > 0 ? c->confirm_timeout : 5 * MSEC_SECOND;
        l->window_messages = c->window_messages > 0 ? c->window_messages : WINDOW_MESSAGES_DEFAULT;
        l->window_bytes = c->window_bytes > 0 ? c->window_bytes : WINDOW_BYTES_DEFAULT;
        l->read_bytes = c->read_bytes;
        l->resend = c->resend;
        if (on != NULL)
                l->on = *on;
        l->owner = owner;
        l->wake_fd = -1;
        l->shut_fd = -1;
        l->engine.fd = -1;
        l->engine.backoff = BACKOFF_MIN;
        l->engine.prefetch = -1;
        l->engine.first_tag = l->engine.next_tag = 1;
        pthread_mutex_init(&l->mutex, NULL);
        return l;
}

static int start_thread(struct link *l, struct err *e)
{
        pthread_attr_t attributes;

        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        int number = pthread_create(&l->thread, &attributes, engine_run, l);
        pthread_attr_destroy(&attributes);
        if (number == 0)
                return 0;
        return err_set(e, ERR_SYSTEM, "link thread: %s", strerror(number));
}

static void doorbell_closed(uv_handle_t *handle)
{
        free(handle->data);
}

static void doorbell_close(struct link *l)
{
        l->doorbell->link = NULL;
        uv_close((uv_handle_t *)&l->doorbell->async, doorbell_closed);
        l->doorbell = NULL;
}

static int doorbell_open(struct link *l, uv_loop_t *loop, struct err *e)
{
        struct doorbell *d = xcalloc(1, sizeof(*d));
        int status = uv_async_init(loop, &d->async, link_dispatch);

        if (status != 0) {
                free(d);
                return err_set(e, ERR_SYSTEM, "link: %s", uv_strerror(status));
        }
        d->async.data = d;
        d->link = l;
        l->doorbell = d;
        return 0;
}

struct link *link_create(const struct link_config *c, const struct link_events *on, void *owner,
                         uv_loop_t *loop, struct err *e)
{
        struct link *l = link_new(c, on, owner);

        l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (l->wake_fd < 0)
                err_set_errno(e, "eventfd");
        if (l->wake_fd < 0 || address_list_parse(l, c->urls, e) < 0 ||
            doorbell_open(l, loop, e) < 0) {
                link_free(l);
                return NULL;
        }
        if (start_thread(l, e) < 0) {
                doorbell_close(l);
                link_free(l);
                return NULL;
        }
        return l;
}

/* The thread may hang in a write or a handshake: after a while its socket is shut down. */
static void end_thread(struct link *l)
{
        struct timespec patience;

        pthread_mutex_lock(&l->mutex);
        l->closing = l->stopping = true;
        link_wake_locked(l);
        pthread_mutex_unlock(&l->mutex);
        clock_gettime(CLOCK_REALTIME, &patience);
        patience.tv_sec += 2 * CLOSE_LIMIT / 1000;
        if (pthread_timedjoin_np(l->thread, NULL, &patience) == 0)
                return;
        pthread_mutex_lock(&l->mutex);
        if (l->shut_fd >= 0)
                shutdown(l->shut_fd, SHUT_RDWR);
        pthread_mutex_unlock(&l->mutex);
        pthread_join(l->thread, NULL);
}

static void free_list(struct node_list *list)
{
        struct node *n;

        while ((n = node_list_take(list)) != NULL)
                free(n);
}

/* The outcomes that were on their way reach their owners; the rest goes. */
static void finish_notices(struct link *l, struct node_list *notices)
{
        struct node *n;

        while ((n = node_list_take(notices)) != NULL) {
                struct notice *notice = (struct notice *)n;
                if (notice->kind == NOTICE_PUBLISHED)
                        link_report_published(l, (struct publish *)notice);
                else if (notice->kind == NOTICE_DECLARED)
                        link_report_declared((struct request *)notice);
                else
                        free(notice);
        }
}

void link_destroy(struct link **link)
{
        struct link *l = TAKE(*link);
        struct box *b, *next_box;
        struct subscription *s, *next_s;

        if (l == NULL)
                return;
        end_thread(l);
        doorbell_close(l);
        if (l->destroyed != NULL)
                *l->destroyed = true;
        node_list_append(&l->dispatching, &l->outbox);
        finish_notices(l, &l->dispatching);
        free_list(&l->settles);
        free_list(&l->orders);
        DL_FOREACH_SAFE2(l->held, b, next_box, held_next)
        {
                b->link = NULL;
        }
        DL_FOREACH_SAFE (l->subscriptions, s, next_s) {
                subscription_free(s);
        }
        link_free(l);
}

static int refuse_locked(const struct link *l, struct err *e)
{
        if (atomic_load(&l->blocked))
                return err_set(e, ERR_UNAVAILABLE, "the broker takes no messages now");
        if (l->streamless)
                return err_set(e, ERR_UNAVAILABLE,
                               "the broker's stream %s is not there: if it stays away, "
                               "`warren topology apply` makes it",
                               l->stream);
        return err_set(e, ERR_UNAVAILABLE, "no connection to the broker");
}

static int admit_locked(struct link *l, size_t cost, struct err *e)
{
        uint32_t messages = atomic_load(&l->in_flight);
        size_t bytes = atomic_load(&l->in_flight_bytes);

        if (l->closing)
                return err_set(e, ERR_UNAVAILABLE, "the link to the broker is closing");
        if (!l->resend && !l->accepting)
                return refuse_locked(l, e);
        if (messages >= l->window_messages || (messages > 0 && bytes + cost > l->window_bytes))
                return err_set(e, ERR_FULL, "%u publishes are not confirmed yet", messages);
        return 0;
}

int link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                 struct err *e)
{
        struct publish *p = publish_create(l, m, e);

        if (p == NULL)
                return -1;
        if (done != NULL)
                p->wait = *done;
        pthread_mutex_lock(&l->mutex);
        int result = admit_locked(l, p->cost, e);
        if (result == 0) {
                atomic_fetch_add(&l->in_flight, 1);
                atomic_fetch_add(&l->in_flight_bytes, p->cost);
                node_list_add(&l->publishes, &p->notice.node);
                link_wake_locked(l);
        }
        pthread_mutex_unlock(&l->mutex);
        if (result < 0)
                free(p);
        return result;
}

bool link_is_up(const struct link *l)
{
        return atomic_load(&l->up) && !atomic_load(&l->blocked);
}

bool link_is_ready(struct link *l, struct err *why)
{
        if (link_is_up(l))
                return true;
        pthread_mutex_lock(&l->mutex);
        (void)refuse_locked(l, why);
        pthread_mutex_unlock(&l->mutex);
        return false;
}

bool link_is_blocked(const struct link *l)
{
        return atomic_load(&l->blocked);
}

uint32_t link_in_flight(const struct link *l)
{
        return atomic_load(&l->in_flight);
}

void link_order(struct link *l, struct order order)
{
        struct order *o = xmalloc(sizeof(*o));

        *o = order;
        pthread_mutex_lock(&l->mutex);
        node_list_add(&l->orders, &o->node);
        link_wake_locked(l);
        pthread_mutex_unlock(&l->mutex);
}

struct subscription *link_subscribe(struct link *l, const struct source *source, delivery_fn *on,
                                    void *owner)
{
        assert(source->queue != NULL && source->queue[0] != '\0');
        assert(strlen(source->queue) <= SHORT_STRING_MAX);
        assert(source->prefetch > 0);

        struct subscription *s = xcalloc(1, sizeof(*s));
        s->link = l;
        s->id = ++l->next_id;
        s->queue = xstrdup(source->queue);
        s->source = *source;
        s->source.queue = s->queue;
        s->on = on;
        s->owner = owner;
        DL_APPEND(l->subscriptions, s);
        link_order(l, (struct order){.kind = ORDER_SUBSCRIBE, .subscription = s});
        return s;
}

void link_unsubscribe(struct subscription **subscription)
{
        struct subscription *s = TAKE(*subscription);

        if (s == NULL)
                return;
        assert(!s->closed);
        s->closed = true;
        link_order(s->link, (struct order){.kind = ORDER_UNSUBSCRIBE, .subscription = s});
}

void link_give_back(struct box *b, enum settle how)
{
        struct link *l = b->link;

        b->how = how;
        pthread_mutex_lock(&l->mutex);
        node_list_add(&l->settles, &b->notice.node);
        link_wake_locked(l);
        pthread_mutex_unlock(&l->mutex);
}

static struct box *box_of(const struct delivery *d)
{
        return (struct box *)((char *)d - offsetof(struct box, delivery));
}

void link_settle(struct delivery **d, enum settle how)
{
        if (*d == NULL)
                return;
        struct box *b = box_of(TAKE(*d));
        if (b->link == NULL) {
                free(b);
                return;
        }
        DL_DELETE2(b->link->held, b, held_prev, held_next);
        link_give_back(b, how);
}

bool delivery_is_live(const struct delivery *d)
{
        const struct box *b = box_of(d);

        return b->link != NULL && atomic_load(&b->link->live_epoch) == b->epoch;
}

void link_declare(struct link *l, const struct declaration *d, declared_fn *done, void *owner)
{
        struct request *r = request_create(d);

        r->done = done;
        r->owner = owner;
        r->deadline = clock_mono() + l->confirm_timeout;
        pthread_mutex_lock(&l->mutex);
        node_list_add(&l->requests, &r->notice.node);
        link_wake_locked(l);
        pthread_mutex_unlock(&l->mutex);
}

void link_drain(struct link *l, msec limit, drained_fn *done, void *owner)
{
        l->drained = done;
        l->drained_owner = owner;
        pthread_mutex_lock(&l->mutex);
        l->closing = true;
        pthread_mutex_unlock(&l->mutex);
        link_order(l, (struct order){.kind = ORDER_DRAIN, .limit = limit > 0 ? limit : 1});
}
