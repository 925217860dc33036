/* SPDX-License-Identifier: Apache-2.0
 *
 * websockets.c: one thread that polls the sockets of a pool.
 */
#include "common/http/websockets.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uthash.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/websocket_frames.h"

enum {
        TICK_MS = 250,
        READ_SIZE = 16 * 1024,
        MESSAGE_MAX = 64 * 1024, /* of a client */
        OUT_KEPT = 64 * 1024,    /* more memory is given back once nothing waits for the client */
        PONGS_MAX = 4 * 1024,    /* bytes up to the last pong; over it none is added */
};
#define CLOSE_WAIT ((msec)1 * MSEC_SECOND) /* for the client to take a close and answer it */
#define SLOW_CLOSE_WAIT ((msec)5 * MSEC_SECOND)

struct websocket {
        uint64_t id;
        const struct websocket_events *on;
        void *user;
        struct known_socket *socket;
        /* the pool's thread only */
        int fd;
        struct frame_reader reader;
        msec heard_at; /* last time that the client sent something */
        bool opened, pinged, half_closed, dead;
        /* guarded by mutex */
        struct buffer out;
        size_t rest;        /* bytes that `out` begins with: what is left of a frame sent in part */
        size_t pong_end;    /* bytes of `out` up to the end of its last pong; 0: there is none */
        struct buffer ping; /* the payload of the last one */
        bool ping_due;      /* it is to be answered */
        msec taken_at;      /* last time that `out` was empty or the client took some of it */
        msec end_at;        /* not 0: closing, and ended then at the latest; 0: open */
        UT_hash_handle hh;
};

struct websockets {
        struct websockets_config config;
        int wake; /* an eventfd */
        pthread_t thread;
        bool started;
        /* the pool's thread only */
        struct pollfd *polled;
        struct websocket **served;
        char *scratch;
        /* guarded by mutex; only the pool's thread takes sockets out */
        pthread_mutex_t mutex;
        struct websocket *sockets;
        unsigned reserved; /* places, those of `sockets` included */
        uint64_t last_id;
        bool ending;
};

static void wake(struct websockets *all)
{
        const uint64_t one = 1;

        (void)!write(all->wake, &one, sizeof(one));
}

static bool has_room_locked(const struct websockets *all, const struct websocket *w, size_t length)
{
        size_t most = all->config.unsent_max;

        return w->out.length <= most && length <= most - w->out.length;
}

static void begin_close_locked(struct websocket *w, unsigned code)
{
        if (w->end_at != 0)
                return;
        w->end_at = clock_mono() + CLOSE_WAIT;
        frame_write_close(&w->out, code);
}

/* Drops what was buffered, but for the rest of a message. */
static void abandon_locked(struct websocket *w, unsigned code)
{
        w->out.length = w->rest;
        begin_close_locked(w, code);
        w->end_at = clock_mono() + SLOW_CLOSE_WAIT;
}

static void begin_close(struct websockets *all, struct websocket *w, unsigned code)
{
        pthread_mutex_lock(&all->mutex);
        begin_close_locked(w, code);
        pthread_mutex_unlock(&all->mutex);
}

/* Of several pings that wait the last one needs an answer (RFC 6455, 5.5.3): a client that pings
 * without reading must not fill memory. */
static void answer_ping_locked(struct websocket *w)
{
        if (!w->ping_due || w->pong_end > PONGS_MAX || w->end_at != 0)
                return;
        frame_write(&w->out, FRAME_PONG, buffer_bytes(&w->ping));
        w->pong_end = w->out.length;
        w->ping_due = false;
}

static void take_ping(struct websockets *all, struct websocket *w, struct bytes payload)
{
        pthread_mutex_lock(&all->mutex);
        buffer_set(&w->ping, payload);
        w->ping_due = true;
        answer_ping_locked(w);
        pthread_mutex_unlock(&all->mutex);
}

/* False: no further event now. */
static bool handle_event(struct websockets *all, struct websocket *w)
{
        struct bytes payload = {0};
        unsigned code = 0;

        switch (frames_next(&w->reader, &payload, &code)) {
        case FRAME_NOTHING:
                return false;
        case FRAME_IS_TEXT:
                w->on->message(w->user, w->id, payload);
                return true;
        case FRAME_IS_PING:
                take_ping(all, w, payload);
                return true;
        case FRAME_IS_PONG:
                return true;
        case FRAME_IS_CLOSE:
        case FRAME_IS_WRONG:
                begin_close(all, w, code);
                return false;
        }
        return false;
}

static bool is_closing(struct websockets *all, const struct websocket *w)
{
        pthread_mutex_lock(&all->mutex);
        bool closing = w->end_at != 0;
        pthread_mutex_unlock(&all->mutex);
        return closing;
}

/* One read a turn, so that no client delays the others. */
static void receive(struct websockets *all, struct websocket *w)
{
        ssize_t got = recv(w->fd, all->scratch, READ_SIZE, MSG_DONTWAIT);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (got <= 0) {
                w->dead = true;
                return;
        }
        w->heard_at = clock_mono();
        w->pinged = false;
        if (is_closing(all, w))
                return; /* further input is dropped */
        frames_add(&w->reader, bytes_of(all->scratch, (size_t)got));
        while (!is_closing(all, w) && handle_event(all, w))
                continue;
}

/* One pass over the frames and one move: with many small frames `out` is long. */
static void take_sent_locked(struct websocket *w, size_t sent)
{
        size_t end = w->rest > 0 ? w->rest : frame_length(w->out.data);

        while (end < sent)
                end += frame_length(w->out.data + end);
        w->rest = end - sent;
        w->pong_end -= w->pong_end < sent ? w->pong_end : sent;
        buffer_drop(&w->out, sent);
        if (w->out.length == 0 && w->out.size > OUT_KEPT)
                buffer_fini(&w->out);
        w->taken_at = clock_mono();
        answer_ping_locked(w);
}

static void send_unsent(struct websockets *all, struct websocket *w)
{
        pthread_mutex_lock(&all->mutex);
        if (w->out.length > 0) {
                ssize_t sent = send(w->fd, w->out.data, w->out.length, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent > 0)
                        take_sent_locked(w, (size_t)sent);
                w->dead = w->dead || (sent < 0 && errno != EAGAIN && errno != EINTR);
        }
        if (w->end_at != 0 && w->out.length == 0 && !w->half_closed) {
                w->half_closed = true;
                shutdown(w->fd, SHUT_WR); /* then the client closes its side */
        }
        pthread_mutex_unlock(&all->mutex);
}

static void check_timeouts_locked(struct websockets *all, struct websocket *w, msec now)
{
        msec silence = all->config.silence_max;

        if (w->out.length == 0)
                w->taken_at = now;
        if (w->end_at != 0) {
                w->dead = w->dead || now >= w->end_at;
        } else if (now - w->taken_at >= 2 * silence || now - w->heard_at >= 2 * silence) {
                abandon_locked(w, CLOSE_POLICY);
        } else if (now - w->heard_at >= silence && !w->pinged) {
                w->pinged = true;
                frame_write(&w->out, FRAME_PING, bytes_of("", 0));
        }
}

static void serve(struct websockets *all, struct websocket *w, int events)
{
        if (!w->opened) {
                w->opened = true;
                w->on->opened(w->user, w->id);
        }
        if (events != 0)
                receive(all, w);
        pthread_mutex_lock(&all->mutex);
        check_timeouts_locked(all, w, clock_mono());
        pthread_mutex_unlock(&all->mutex);
        if (!w->dead)
                send_unsent(all, w);
}

static void end_socket(struct websockets *all, struct websocket *w)
{
        pthread_mutex_lock(&all->mutex);
        HASH_DEL(all->sockets, w);
        all->reserved--;
        pthread_mutex_unlock(&all->mutex);
        known_socket_close(w->socket);
        if (w->opened)
                w->on->closed(w->user, w->id);
        frames_fini(&w->reader);
        buffer_fini(&w->out);
        buffer_fini(&w->ping);
        free(w);
}

static void end_locked(struct websocket *w)
{
        msec latest = clock_mono() + CLOSE_WAIT;

        begin_close_locked(w, CLOSE_GOING_AWAY);
        if (w->end_at > latest)
                w->end_at = latest;
}

/* Fills `served` and `polled`. Returns how many; -1: the pool has ended. */
static int list_sockets(struct websockets *all)
{
        struct websocket *w, *next;
        int count = 0;

        pthread_mutex_lock(&all->mutex);
        bool ended = all->ending && all->sockets == NULL;
        HASH_ITER (hh, all->sockets, w, next) {
                if (all->ending)
                        end_locked(w);
                all->served[count] = w;
                all->polled[count++] = (struct pollfd){
                        .fd = w->fd,
                        .events = (short)(POLLIN | (w->out.length > 0 ? POLLOUT : 0)),
                };
        }
        pthread_mutex_unlock(&all->mutex);
        all->polled[count] = (struct pollfd){.fd = all->wake, .events = POLLIN};
        return ended ? -1 : count;
}

static void *run(void *owner)
{
        struct websockets *all = owner;
        uint64_t waste = 0;

        for (int count = list_sockets(all); count >= 0; count = list_sockets(all)) {
                int ready = poll(all->polled, (nfds_t)count + 1, count > 0 ? TICK_MS : -1);
                if (ready > 0 && all->polled[count].revents != 0)
                        (void)!read(all->wake, &waste, sizeof(waste));
                for (int i = 0; i < count; i++) {
                        int events = ready > 0 ? all->polled[i].revents & ~POLLOUT : 0;
                        serve(all, all->served[i], events);
                        if (all->served[i]->dead)
                                end_socket(all, all->served[i]);
                }
        }
        return NULL;
}

struct websockets *websockets_create(const struct websockets_config *c, struct err *e)
{
        AUTO(websockets) all = xcalloc(1, sizeof(*all));

        all->config = *c;
        if (c->max == 0)
                all->config.max = 100;
        if (c->unsent_max == 0)
                all->config.unsent_max = (size_t)1024 * 1024;
        if (c->silence_max == 0)
                all->config.silence_max = (msec)20 * MSEC_SECOND;
        pthread_mutex_init(&all->mutex, NULL);
        all->polled = xcalloc((size_t)all->config.max + 1, sizeof(*all->polled));
        all->served = xcalloc(all->config.max, sizeof(struct websocket *));
        all->scratch = xmalloc(READ_SIZE);
        all->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (all->wake < 0) {
                err_set_errno(e, "cannot make an eventfd");
                return NULL;
        }
        errno = pthread_create(&all->thread, NULL, run, all);
        if (errno != 0) {
                err_set_errno(e, "cannot start a thread");
                return NULL;
        }
        all->started = true;
        return TAKE(all);
}

void websockets_end(struct websockets *all)
{
        pthread_mutex_lock(&all->mutex);
        all->ending = true;
        pthread_mutex_unlock(&all->mutex);
        wake(all);
        if (all->started)
                pthread_join(all->thread, NULL);
        all->started = false;
}

void websockets_destroy(struct websockets **all)
{
        if (*all == NULL)
                return;
        websockets_end(*all);
        if ((*all)->wake >= 0)
                close((*all)->wake);
        pthread_mutex_destroy(&(*all)->mutex);
        free((*all)->polled);
        free((void *)(*all)->served);
        free((*all)->scratch);
        free(*all);
        *all = NULL;
}

bool websockets_reserve(struct websockets *all)
{
        pthread_mutex_lock(&all->mutex);
        bool room = !all->ending && all->reserved < all->config.max;
        all->reserved += room;
        pthread_mutex_unlock(&all->mutex);
        return room;
}

void websockets_give_back(struct websockets *all)
{
        pthread_mutex_lock(&all->mutex);
        all->reserved--;
        pthread_mutex_unlock(&all->mutex);
}

void websockets_add(struct websockets *all, struct known_socket *socket, struct buffer *answer,
                    const struct websocket_events *on, void *user)
{
        struct websocket *w = xcalloc(1, sizeof(*w));

        w->on = on;
        w->user = user;
        w->socket = socket;
        w->fd = known_socket_descriptor(socket);
        w->reader.message_max = MESSAGE_MAX;
        w->heard_at = w->taken_at = clock_mono();
        w->out = *answer;
        w->rest = answer->length;
        *answer = (struct buffer){0};
        if (all->config.kernel_max > 0) {
                int size = (int)all->config.kernel_max;
                (void)setsockopt(w->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        }
        pthread_mutex_lock(&all->mutex);
        w->id = ++all->last_id;
        HASH_ADD(hh, all->sockets, id, sizeof(w->id), w);
        pthread_mutex_unlock(&all->mutex);
        wake(all);
}

static struct websocket *find_open_locked(const struct websockets *all, uint64_t id)
{
        struct websocket *w = NULL;

        HASH_FIND(hh, all->sockets, &id, sizeof(id), w);
        return w != NULL && w->end_at == 0 ? w : NULL;
}

int websockets_send(struct websockets *all, uint64_t socket, struct bytes text, struct err *e)
{
        int result = 0;

        pthread_mutex_lock(&all->mutex);
        struct websocket *w = find_open_locked(all, socket);
        bool first = w != NULL && w->out.length == 0;
        if (w == NULL)
                result = err_set(e, ERR_NOT_FOUND, "the WebSocket is closed");
        else if (!has_room_locked(all, w, text.length))
                result = err_set(e, ERR_FULL, "%zu bytes wait for this client already",
                                 w->out.length);
        else
                frame_write(&w->out, FRAME_TEXT, text);
        pthread_mutex_unlock(&all->mutex);
        if (first)
                wake(all);
        return result;
}

bool websockets_has_room(struct websockets *all, uint64_t socket, size_t length)
{
        pthread_mutex_lock(&all->mutex);
        const struct websocket *w = find_open_locked(all, socket);
        bool room = w != NULL && has_room_locked(all, w, length);
        pthread_mutex_unlock(&all->mutex);
        return room;
}

void websockets_close(struct websockets *all, uint64_t socket, unsigned code)
{
        pthread_mutex_lock(&all->mutex);
        struct websocket *w = find_open_locked(all, socket);
        if (w != NULL)
                begin_close_locked(w, code);
        pthread_mutex_unlock(&all->mutex);
        wake(all);
}

void websockets_abandon(struct websockets *all, uint64_t socket, unsigned code)
{
        pthread_mutex_lock(&all->mutex);
        struct websocket *w = find_open_locked(all, socket);
        if (w != NULL)
                abandon_locked(w, code);
        pthread_mutex_unlock(&all->mutex);
        wake(all);
}
