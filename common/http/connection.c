/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c: a connection's socket, its seat, its unread answers.
 */
#include "common/http/connection.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"

enum {
        SILENT_LEAST_MS = 1000, /* without a byte, before a connection is ended early */
        PIPELINE_MAX = 256,     /* requests in a row whose client did not wait for an answer */
        PROGRESS_LEAST = 65536, /* bytes: a reader who takes less at a time is slow */
        PIECE_SIZE = 4096,      /* through civetweb, which has no deadline for a whole answer */
};
#define IDLE_MAX ((msec)20 * MSEC_SECOND)
#define LINGER_MAX ((msec)MSEC_SECOND)

struct connection {
        struct connections *all;
        int fd;
        bool looked_for; /* its socket */
        bool seated, over;
        struct watched rest;
        bool resting;
        /* of the answer before */
        bool answered;     /* there is one */
        bool early;        /* when it was written, there was more to read already */
        uint64_t received; /* bytes, by then */
        bool pipelined;
        unsigned in_a_row;
        /* guarded by the mutex of all */
        struct connection *prev, *next;
};

/* Is it a connection to the server? Tells the other end. */
static bool is_ours(const struct connections *all, int fd, struct sockaddr_in *far)
{
        struct sockaddr_in near = {0};
        socklen_t far_size = sizeof(*far);
        socklen_t near_size = sizeof(near);

        return getpeername(fd, (struct sockaddr *)far, &far_size) == 0 &&
               far->sin_family == AF_INET &&
               getsockname(fd, (struct sockaddr *)&near, &near_size) == 0 &&
               near.sin_port == all->port &&
               (all->address.s_addr == INADDR_ANY || near.sin_addr.s_addr == all->address.s_addr);
}

static bool is_known(struct connections *all, int fd)
{
        struct connection *at = NULL;

        pthread_mutex_lock(&all->mutex);
        DL_FOREACH (all->known, at) {
                if (at->fd == fd)
                        break;
        }
        pthread_mutex_unlock(&all->mutex);
        return at != NULL;
}

static bool is_silent(int fd)
{
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);
        int unread = 0;

        return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
               info.tcpi_last_data_recv >= SILENT_LEAST_MS && ioctl(fd, SIOCINQ, &unread) == 0 &&
               unread == 0;
}

static bool end_if_silent(struct connections *all, int fd)
{
        struct sockaddr_in far = {0};

        if (is_known(all, fd))
                return false;
        /* Whatever happens to fd meanwhile, this remains the socket that was looked at. */
        AUTO_CLOSE int same = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        return same >= 0 && is_ours(all, same, &far) && is_silent(same) &&
               shutdown(same, SHUT_RD) == 0;
}

/* Connections whose first request has not come: civetweb does not tell who they are. */
static unsigned end_fresh(struct connections *all, unsigned count)
{
        unsigned ended = 0;
        DIR *folder = opendir("/proc/self/fd");

        if (folder == NULL)
                return 0;
        for (struct dirent *entry; ended < count && (entry = readdir(folder)) != NULL;)
                ended += end_if_silent(all, (int)strtol(entry->d_name, NULL, 10)) ? 1 : 0;
        closedir(folder);
        return ended;
}

static unsigned excess(void *owner)
{
        struct connections *all = owner;
        unsigned count = admission_excess(&all->admission);

        return count > 0 ? count - end_fresh(all, count) : 0;
}

int connections_init(struct connections *all, struct in_addr address, unsigned seats, struct err *e)
{
        all->address = address;
        pthread_mutex_init(&all->mutex, NULL);
        admission_init(&all->admission, seats);
        all->watch = watch_create(excess, all, e);
        return all->watch != NULL ? 0 : -1;
}

void connections_fini(struct connections *all)
{
        watch_destroy(&all->watch);
        admission_fini(&all->admission);
        pthread_mutex_destroy(&all->mutex);
}

/* civetweb does not tell a connection's descriptor, but its two ends name it. Of its own end
 * civetweb tells the port only: where a server listens on every address, a peer can have two
 * connections from one port to two of them, and then it is not certain which is which. */
static int find_descriptor(const struct connections *all, const struct mg_request_info *info)
{
        struct sockaddr_in far = {0};
        struct in_addr peer = {0};
        int found = -1;

        if (inet_pton(AF_INET, info->remote_addr, &peer) != 1)
                return -1;
        DIR *folder = opendir("/proc/self/fd");
        if (folder == NULL)
                return -1;
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
                int fd = (int)strtol(entry->d_name, NULL, 10); /* "." is 0, and no socket */
                if (!is_ours(all, fd, &far) || ntohs(far.sin_port) != info->remote_port ||
                    far.sin_addr.s_addr != peer.s_addr)
                        continue;
                bool another = found >= 0;
                found = another ? -1 : fd;
                if (another || all->address.s_addr != INADDR_ANY)
                        break;
        }
        closedir(folder);
        return found;
}

struct connection *connection_create(struct connections *all)
{
        struct connection *k = xcalloc(1, sizeof(*k));

        k->all = all;
        k->fd = -1;
        atomic_fetch_add(&all->admission.open, 1);
        return k;
}

static void look_for_socket(struct connection *k, const struct mg_request_info *info)
{
        if (k->looked_for)
                return;
        k->looked_for = true;
        k->fd = find_descriptor(k->all, info);
        pthread_mutex_lock(&k->all->mutex);
        DL_APPEND(k->all->known, k);
        pthread_mutex_unlock(&k->all->mutex);
}

static void end_rest(struct connection *k)
{
        if (k->resting)
                watch_end(k->all->watch, &k->rest);
        k->resting = false;
}

void connection_destroy(struct connection **k)
{
        if (*k == NULL)
                return;
        struct admission *a = &(*k)->all->admission;
        end_rest(*k);
        if ((*k)->looked_for) {
                pthread_mutex_lock(&(*k)->all->mutex);
                DL_DELETE((*k)->all->known, *k);
                pthread_mutex_unlock(&(*k)->all->mutex);
        }
        if ((*k)->seated)
                admission_leave(a);
        atomic_fetch_sub(&a->open, 1);
        free(*k);
        *k = NULL;
}

int connection_descriptor(const struct connection *k)
{
        return k->fd;
}

static uint64_t bytes_received(int fd)
{
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);

        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
                return 0;
        return info.tcpi_bytes_received;
}

bool connection_begin(struct connection *k, const struct mg_request_info *info, bool *first_refusal)
{
        end_rest(k);
        look_for_socket(k, info);
        if (k->answered) {
                /* What begins without a byte from outside was there before. */
                bool buffered = bytes_received(k->fd) == k->received;
                k->pipelined = k->pipelined || buffered;
                k->in_a_row = buffered || k->early ? k->in_a_row + 1 : 0;
        }
        k->answered = false;
        if (!k->seated)
                k->seated = admission_enter(&k->all->admission, k->all->watch, first_refusal);
        return k->seated;
}

void connection_end(struct connection *k, const struct mg_request_info *info)
{
        end_rest(k);
        look_for_socket(k, info);
        k->over = true;
}

bool connection_is_over(const struct connection *k)
{
        return k->over;
}

void connection_answers(struct connection *k)
{
        int unread = 0;

        if (k->fd < 0)
                return;
        k->answered = true;
        k->early = ioctl(k->fd, SIOCINQ, &unread) == 0 && unread > 0;
        k->received = bytes_received(k->fd);
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

void connection_rest(struct connection *k)
{
        watch_begin(k->all->watch, &k->rest, k->fd, WATCH_IDLE, IDLE_MAX);
        k->resting = true;
}

bool connection_is_pipelined(const struct connection *k)
{
        return k->pipelined;
}

bool connection_must_yield(const struct connection *k)
{
        return k->in_a_row >= PIPELINE_MAX || atomic_load(&k->all->admission.waiting) > 0;
}

/* What is still to be sent is dropped, and the peer gets a reset. */
static void cut(const struct connection *k, struct mg_connection *c)
{
        const struct linger none = {.l_onoff = 1, .l_linger = 0};

        mg_disable_connection_keep_alive(c);
        setsockopt(k->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        shutdown(k->fd, SHUT_RDWR);
}

/* Returns how much was sent, -1 when the connection has ended. */
static ssize_t send_some(int fd, struct bytes text)
{
        ssize_t sent = send(fd, text.data, text.length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent >= 0)
                return sent;
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

/* Sends until enough is sent for a mark, or the time is over. Returns how much, -1 on failure. */
static ssize_t send_patiently(struct connection *k, struct bytes text, msec limit)
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
                sent = send_patiently(k, text, deadline - clock_mono());
        }
        return sent >= 0 ? 0 : -1;
}

/* civetweb gives each piece a time of its own. */
static int write_through_civetweb(struct mg_connection *c, struct bytes text, msec limit)
{
        msec deadline = clock_mono() + limit;

        while (text.length > 0) {
                size_t piece = text.length < PIECE_SIZE ? text.length : PIECE_SIZE;
                if (clock_mono() >= deadline || mg_write(c, text.data, piece) != (int)piece)
                        return -1;
                text = bytes_of(text.data + piece, text.length - piece);
        }
        return 0;
}

int connection_write(struct connection *k, struct mg_connection *c, struct bytes text, msec limit)
{
        int written = k->fd >= 0 ? write_to_socket(k, text, limit)
                                 : write_through_civetweb(c, text, limit);

        if (written < 0)
                cut(k, c);
        return written;
}
