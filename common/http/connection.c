/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c: a connection's socket and seat, its pipelined requests, and writing to it.
 */
#include "common/http/connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "common/base/condition.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/civetweb_quirks.h"

enum {
        PIPELINE_MAX = 256,     /* pipelined requests in a row */
        PROGRESS_LEAST = 65536, /* bytes that count as progress of an answer (watch.h) */
        SEAT_STEP_MS = 20,
};
#define NO_PROGRESS_MAX MSEC_SECOND /* without any seat taken or left */
#define SEAT_WAIT_MAX ((msec)5 * MSEC_SECOND)
#define QUIET_PERIOD ((msec)10 * MSEC_SECOND) /* between two lines about a full port */
#define IDLE_MAX ((msec)20 * MSEC_SECOND)
#define LINGER_MAX ((msec)MSEC_SECOND)

struct known_socket {
        struct connections *all;
        int fd;                           /* -1: not found */
        struct known_socket *prev, *next; /* guarded by the mutex of all */
};

struct connection {
        struct connections *all;
        struct known_socket *socket; /* NULL: not looked for, or taken */
        int fd;                      /* of `socket`, or -1 */
        bool seated, over;
        struct watched wait;
        bool waiting;
        /* of the last answer */
        bool answered;     /* there was one */
        bool early;        /* unread input was there when it was written */
        uint64_t received; /* bytes received until then */
        bool pipelined;
        unsigned in_a_row; /* pipelined requests */
};

static bool is_known(void *owner, int fd)
{
        struct connections *all = owner;
        const struct known_socket *s = NULL;

        pthread_mutex_lock(&all->mutex);
        DL_SEARCH_SCALAR(all->known, s, fd, fd);
        pthread_mutex_unlock(&all->mutex);
        return s != NULL;
}

/* How many connections should end early, besides those that it ends itself. */
static unsigned excess(void *owner)
{
        struct connections *all = owner;
        unsigned open = atomic_load(&all->open);
        unsigned count = open > all->seats ? open - all->seats : 0;

        return count > 0 ? count - quirk_end_late(&all->listener, count, is_known, all) : 0;
}

int connections_init(struct connections *all, struct in_addr address, unsigned seats, struct err *e)
{
        all->listener.address = address;
        all->seats = seats;
        all->refused_at = -QUIET_PERIOD;
        pthread_mutex_init(&all->mutex, NULL);
        condition_init(&all->seat_left);
        all->watch = watch_create(excess, all, e);
        return all->watch != NULL ? 0 : -1;
}

void connections_fini(struct connections *all)
{
        watch_destroy(&all->watch);
        pthread_cond_destroy(&all->seat_left);
        pthread_mutex_destroy(&all->mutex);
}

static bool await_seat_locked(struct connections *all)
{
        msec begun = clock_mono();
        msec progress = all->changed_at;

        while (all->taken >= all->seats) {
                if (watch_relieve(all->watch, 1) > 0)
                        progress = clock_mono();
                if (all->changed_at > progress)
                        progress = all->changed_at;
                msec now = clock_mono();
                if (now - progress >= NO_PROGRESS_MAX || now - begun >= SEAT_WAIT_MAX)
                        return false;
                condition_wait(&all->seat_left, &all->mutex, clock_mono() + SEAT_STEP_MS);
        }
        return true;
}

/* Counts only who must wait: other connections end for them (connection_must_yield). */
static bool find_seat_locked(struct connections *all)
{
        if (all->taken < all->seats)
                return true;
        atomic_fetch_add(&all->waiting, 1);
        bool found = await_seat_locked(all);
        atomic_fetch_sub(&all->waiting, 1);
        return found;
}

/* False: no seat became free in time. */
static bool take_seat(struct connections *all)
{
        pthread_mutex_lock(&all->mutex);
        bool found = find_seat_locked(all);
        msec now = clock_mono();
        bool log = !found && now - all->refused_at >= QUIET_PERIOD;
        if (found) {
                all->taken++;
                all->changed_at = now;
        } else {
                all->refused_at = now;
        }
        pthread_mutex_unlock(&all->mutex);
        if (log)
                LOG_WARN("a port is full: requests are refused with 503",
                         log_int("port", ntohs(all->listener.port)),
                         log_int("threads", all->seats));
        return found;
}

static void leave_seat(struct connections *all)
{
        pthread_mutex_lock(&all->mutex);
        all->taken--;
        all->changed_at = clock_mono();
        pthread_cond_signal(&all->seat_left);
        pthread_mutex_unlock(&all->mutex);
}

struct connection *connection_create(struct connections *all)
{
        struct connection *k = xcalloc(1, sizeof(*k));

        k->all = all;
        k->fd = -1;
        atomic_fetch_add(&all->open, 1);
        return k;
}

static void look_for_socket(struct connection *k, const struct mg_request_info *info)
{
        if (k->socket != NULL)
                return;
        k->socket = xcalloc(1, sizeof(*k->socket));
        k->socket->all = k->all;
        k->fd = k->socket->fd = quirk_find_socket(&k->all->listener, info);
        pthread_mutex_lock(&k->all->mutex);
        DL_APPEND(k->all->known, k->socket);
        pthread_mutex_unlock(&k->all->mutex);
}

static void forget_socket(struct known_socket *s)
{
        pthread_mutex_lock(&s->all->mutex);
        DL_DELETE(s->all->known, s);
        pthread_mutex_unlock(&s->all->mutex);
        free(s);
}

static void end_wait(struct connection *k)
{
        if (k->waiting)
                watch_end(k->all->watch, &k->wait);
        k->waiting = false;
}

void connection_destroy(struct connection **k)
{
        if (*k == NULL)
                return;
        struct connections *all = (*k)->all;
        end_wait(*k);
        if ((*k)->socket != NULL)
                forget_socket((*k)->socket);
        if ((*k)->seated)
                leave_seat(all);
        atomic_fetch_sub(&all->open, 1);
        free(*k);
        *k = NULL;
}

int connection_descriptor(const struct connection *k)
{
        return k->fd;
}

bool connection_begin(struct connection *k, const struct mg_request_info *info)
{
        end_wait(k);
        look_for_socket(k, info);
        if (k->answered) {
                bool buffered = quirk_bytes_received(k->fd) == k->received;
                k->pipelined = k->pipelined || buffered;
                k->in_a_row = buffered || k->early ? k->in_a_row + 1 : 0;
        }
        k->answered = false;
        k->seated = k->seated || take_seat(k->all);
        return k->seated;
}

void connection_end(struct connection *k, const struct mg_request_info *info)
{
        end_wait(k);
        look_for_socket(k, info);
        k->over = true;
}

bool connection_is_over(const struct connection *k)
{
        return k->over;
}

void connection_note_answer(struct connection *k)
{
        int unread = 0;

        if (k->fd < 0)
                return;
        k->answered = true;
        k->early = ioctl(k->fd, SIOCINQ, &unread) == 0 && unread > 0;
        k->received = quirk_bytes_received(k->fd);
}

void connection_linger(struct connection *k)
{
        struct pollfd in = {.fd = k->fd, .events = POLLIN};
        msec until = clock_mono() + LINGER_MAX;
        char waste[4096];
        int unread = 0;

        if (k->fd < 0 || ioctl(k->fd, SIOCINQ, &unread) != 0 || unread == 0)
                return;
        shutdown(k->fd, SHUT_WR);
        for (msec left = LINGER_MAX; left > 0; left = until - clock_mono()) {
                if (poll(&in, 1, (int)left) <= 0 ||
                    recv(k->fd, waste, sizeof(waste), MSG_DONTWAIT) <= 0)
                        return;
        }
}

void connection_await_request(struct connection *k)
{
        watch_begin(k->all->watch, &k->wait, k->fd, WATCH_IDLE, IDLE_MAX);
        k->waiting = true;
}

bool connection_is_pipelined(const struct connection *k)
{
        return k->pipelined;
}

bool connection_must_yield(const struct connection *k)
{
        return k->in_a_row >= PIPELINE_MAX || atomic_load(&k->all->waiting) > 0;
}

void connection_cut(const struct connection *k, struct mg_connection *c)
{
        const struct linger none = {.l_onoff = 1, .l_linger = 0};

        mg_disable_connection_keep_alive(c);
        setsockopt(k->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        shutdown(k->fd, SHUT_RDWR);
}

/* Returns the bytes sent; -1: the connection has ended. */
static ssize_t send_some(int fd, struct bytes text)
{
        ssize_t sent = send(fd, text.data, text.length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent >= 0)
                return sent;
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

/* Sends PROGRESS_LEAST bytes, or what is left, within `limit`. Returns the bytes sent; -1: failed.
 */
static ssize_t send_watched(struct connection *k, struct bytes text, msec limit)
{
        struct watched entry;
        struct pollfd writable = {.fd = k->fd, .events = POLLOUT};
        size_t done = 0;
        ssize_t sent = 0;

        watch_begin(k->all->watch, &entry, k->fd, WATCH_ANSWER, limit);
        while (sent >= 0 && done < text.length && done < PROGRESS_LEAST) {
                poll(&writable, 1, (int)MSEC_SECOND);
                sent = send_some(k->fd, bytes_of(text.data + done, text.length - done));
                done += sent > 0 ? (size_t)sent : 0;
        }
        bool late = watch_end(k->all->watch, &entry);
        return sent < 0 || late ? -1 : (ssize_t)done;
}

static int write_to_socket(struct connection *k, struct bytes text, msec limit)
{
        msec deadline = clock_mono() + limit;
        ssize_t sent = send_some(k->fd, text);

        while (sent >= 0 && (size_t)sent < text.length) {
                text = bytes_of(text.data + sent, text.length - (size_t)sent);
                sent = send_watched(k, text, deadline - clock_mono());
        }
        return sent >= 0 ? 0 : -1;
}

int connection_write(struct connection *k, struct mg_connection *c, struct bytes text, msec limit)
{
        int written = k->fd >= 0 ? write_to_socket(k, text, limit) : quirk_write(c, text, limit);

        if (written < 0)
                connection_cut(k, c);
        return written;
}

bool connection_is_gone(const struct connection *k)
{
        struct pollfd ended = {.fd = k->fd, .events = POLLRDHUP};

        return k->fd >= 0 && poll(&ended, 1, 0) > 0;
}

struct known_socket *connection_take(struct connection *k, struct err *e)
{
        if (k->fd < 0) {
                err_set(e, ERR_UNAVAILABLE, "the connection's socket was not found");
                return NULL;
        }
        pthread_mutex_lock(&k->all->mutex); /* is_known must find it from the start */
        int fd = quirk_take_socket(k->fd, e);
        if (fd >= 0)
                k->socket->fd = fd;
        pthread_mutex_unlock(&k->all->mutex);
        if (fd < 0)
                return NULL;
        k->fd = -1;
        return TAKE(k->socket);
}

int known_socket_descriptor(const struct known_socket *s)
{
        return s->fd;
}

void known_socket_close(struct known_socket *s)
{
        int fd = s->fd;

        forget_socket(s);
        close(fd);
}
