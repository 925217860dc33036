/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.c: the lists and their mutex.
 */
#include "common/amqp/handover.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"

struct handover {
        /* before start */
        const struct link_settings *settings;
        void (*ring)(void *owner);
        void *owner;
        int wake_fd;

        pthread_mutex_t mutex; /* guards the following */
        struct handed_over work;
        struct node_list notices;
        bool sleeping;   /* the thread waits in poll */
        bool streamless; /* connected, but the stream is not there */
        bool closing;    /* publishes are refused: the link drains or ends */
        int socket;      /* -1: none */

        /* any thread */
        atomic_uint in_flight;
        atomic_size_t in_flight_bytes;
        atomic_bool up; /* connected, and the stream there */
        atomic_bool blocked;
        atomic_ullong live[DELIVERY_CHANNELS];
};

struct handover *handover_create(const struct link_settings *s, void (*ring)(void *owner),
                                 void *owner, struct err *e)
{
        AUTO_FREE struct handover *h = xcalloc(1, sizeof(*h));

        h->settings = s;
        h->ring = ring;
        h->owner = owner;
        h->socket = -1;
        h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (h->wake_fd < 0) {
                err_set_errno(e, "eventfd");
                return NULL;
        }
        pthread_mutex_init(&h->mutex, NULL);
        return TAKE(h);
}

static void free_list(struct node_list *list)
{
        struct node *n;

        while ((n = node_list_take(list)) != NULL)
                free(n);
}

void handover_destroy(struct handover **handover)
{
        struct handover *h = TAKE(*handover);

        if (h == NULL)
                return;
        free_list(&h->work.settles);
        free_list(&h->work.orders);
        close(h->wake_fd);
        pthread_mutex_destroy(&h->mutex);
        free(h);
}

/* Unlocks first: the woken thread takes the mutex at once. */
static void unlock_and_wake(struct handover *h)
{
        uint64_t one = 1;
        bool sleeping = h->sleeping;

        h->sleeping = false;
        pthread_mutex_unlock(&h->mutex);
        if (!sleeping)
                return;
        ssize_t written = write(h->wake_fd, &one, sizeof(one));
        assert(written == sizeof(one));
}

static void add(struct handover *h, struct node_list *to, struct node *n)
{
        pthread_mutex_lock(&h->mutex);
        node_list_add(to, n);
        unlock_and_wake(h);
}

bool handover_is_up(const struct handover *h)
{
        return atomic_load(&h->up) && !atomic_load(&h->blocked);
}

static int refusal_locked(const struct handover *h, struct err *e)
{
        if (atomic_load(&h->blocked))
                return err_set(e, ERR_UNAVAILABLE, "the broker takes no messages now");
        if (h->streamless)
                return err_set(e, ERR_UNAVAILABLE,
                               "the broker's stream %s is not there: if it stays away, "
                               "`warren topology apply` makes it",
                               h->settings->stream);
        return err_set(e, ERR_UNAVAILABLE, "no connection to the broker");
}

int handover_refusal(struct handover *h, struct err *e)
{
        pthread_mutex_lock(&h->mutex);
        int result = refusal_locked(h, e);
        pthread_mutex_unlock(&h->mutex);
        return result;
}

static int admit_locked(struct handover *h, size_t cost, struct err *e)
{
        uint32_t messages = atomic_load(&h->in_flight);
        size_t bytes = atomic_load(&h->in_flight_bytes);

        if (h->closing)
                return err_set(e, ERR_UNAVAILABLE, "the link to the broker is closing");
        if (!h->settings->resend && !handover_is_up(h))
                return refusal_locked(h, e);
        if (messages >= h->settings->window_messages ||
            (messages > 0 && bytes + cost > h->settings->window_bytes))
                return err_set(e, ERR_FULL, "%u publishes are not confirmed yet", messages);
        return 0;
}

int handover_publish(struct handover *h, struct outgoing *o, struct err *e)
{
        pthread_mutex_lock(&h->mutex);
        if (admit_locked(h, o->cost, e) < 0) {
                pthread_mutex_unlock(&h->mutex);
                return -1;
        }
        atomic_fetch_add(&h->in_flight, 1);
        atomic_fetch_add(&h->in_flight_bytes, o->cost);
        node_list_add(&h->work.publishes, &o->notice.node);
        unlock_and_wake(h);
        return 0;
}

void handover_leave(struct handover *h, size_t cost)
{
        atomic_fetch_sub(&h->in_flight, 1);
        atomic_fetch_sub(&h->in_flight_bytes, cost);
}

/* The thread takes no more: the loop reports it. */
static void refuse_request(struct handover *h, struct request *r)
{
        struct node_list refused = {0};

        (void)err_set(&r->why, ERR_UNAVAILABLE, "the link to the broker has ended");
        r->notice.kind = NOTICE_DECLARED;
        node_list_add(&refused, &r->notice.node);
        handover_give(h, &refused);
}

void handover_request(struct handover *h, struct request *r)
{
        pthread_mutex_lock(&h->mutex);
        bool stopped = h->work.stop;
        if (!stopped)
                node_list_add(&h->work.requests, &r->notice.node);
        unlock_and_wake(h);
        if (stopped)
                refuse_request(h, r);
}

void handover_settle(struct handover *h, struct incoming *in)
{
        add(h, &h->work.settles, &in->notice.node);
}

void handover_order(struct handover *h, struct order order)
{
        struct order *o = xmalloc(sizeof(*o));

        *o = order;
        add(h, &h->work.orders, &o->node);
}

uint32_t handover_in_flight(const struct handover *h)
{
        return atomic_load(&h->in_flight);
}

bool handover_is_live(const struct handover *h, uint16_t channel, uint64_t epoch)
{
        return atomic_load(&h->live[channel - DELIVERY_CHANNEL]) == epoch;
}

void handover_take_notices(struct handover *h, struct node_list *to)
{
        pthread_mutex_lock(&h->mutex);
        node_list_append(to, &h->notices);
        pthread_mutex_unlock(&h->mutex);
}

void handover_close(struct handover *h)
{
        pthread_mutex_lock(&h->mutex);
        h->closing = true;
        pthread_mutex_unlock(&h->mutex);
}

void handover_stop(struct handover *h)
{
        pthread_mutex_lock(&h->mutex);
        if (h->work.stop && h->socket >= 0)
                shutdown(h->socket, SHUT_RDWR);
        h->closing = h->work.stop = true;
        unlock_and_wake(h);
}

struct handed_over handover_take(struct handover *h)
{
        pthread_mutex_lock(&h->mutex);
        struct handed_over taken = h->work;
        h->work = (struct handed_over){.stop = taken.stop};
        pthread_mutex_unlock(&h->mutex);
        return taken;
}

void handover_give(struct handover *h, struct node_list *notices)
{
        if (notices->first == NULL)
                return;
        pthread_mutex_lock(&h->mutex);
        bool ring = h->notices.first == NULL;
        node_list_append(&h->notices, notices);
        pthread_mutex_unlock(&h->mutex);
        if (ring)
                h->ring(h->owner);
}

bool handover_fall_asleep(struct handover *h)
{
        pthread_mutex_lock(&h->mutex);
        const struct handed_over *w = &h->work;
        h->sleeping = w->publishes.first == NULL && w->settles.first == NULL &&
                      w->orders.first == NULL && w->requests.first == NULL && !w->stop;
        bool sleeping = h->sleeping;
        pthread_mutex_unlock(&h->mutex);
        return sleeping;
}

void handover_wake_up(struct handover *h)
{
        pthread_mutex_lock(&h->mutex);
        h->sleeping = false;
        pthread_mutex_unlock(&h->mutex);
}

int handover_wake_fd(const struct handover *h)
{
        return h->wake_fd;
}

bool handover_set_socket(struct handover *h, int fd)
{
        pthread_mutex_lock(&h->mutex);
        h->socket = fd;
        bool go_on = !h->work.stop;
        pthread_mutex_unlock(&h->mutex);
        return go_on;
}

void handover_set_state(struct handover *h, struct link_state s)
{
        atomic_store(&h->up, s.connected && s.open);
        atomic_store(&h->blocked, s.blocked);
        pthread_mutex_lock(&h->mutex);
        h->streamless = s.connected && !s.open;
        pthread_mutex_unlock(&h->mutex);
}

atomic_ullong *handover_live(struct handover *h)
{
        return h->live;
}
