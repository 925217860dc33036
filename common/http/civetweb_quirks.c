/* SPDX-License-Identifier: Apache-2.0
 *
 * civetweb_quirks.c: checks heads, finds sockets, wakes threads.
 *
 * A head in civetweb's buffer, once it is parsed:
 *
 *      GET\0/path\0HTTP/1.1\0\0Host\0 a\0\0Accept\0 b\0\0\r\0
 *      one NUL after a word or a name, two at the end of a line, \r\0 at the end of the head
 */
#include "common/http/civetweb_quirks.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/own.h"

enum {
        ALIGNMENT = 16,    /* what malloc aligns a buffer to */
        SPARE_THREADS = 2, /* and one more for each SEATS_PER_SPARE */
        SEATS_PER_SPARE = 8,
        FIRST_HEAD_MS = 1000, /* a connection without a head may be ended after this */
        PIECE_SIZE = 4096,
};

unsigned quirk_threads(unsigned seats)
{
        return seats + SPARE_THREADS + seats / SEATS_PER_SPARE;
}

static int refuse(int status, struct err *e, const char *text)
{
        err_set(e, ERR_INVALID, "%s", text);
        return status;
}

/* `at` may be before the first byte of a malloc block. There glibc keeps the block's size, whose
 * last byte is 0. C code must not read that byte, so it is read through the kernel. */
static bool is_white_space(const char *at)
{
        AUTO_CLOSE int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
        char c = '\0';

        return memory >= 0 && pread(memory, &c, 1, (off_t)(uintptr_t)at) == 1 &&
               strchr(" \t\r\n\v\f", c) != NULL && c != '\0';
}

/* The start of this thread's buffer (civetweb allocates one for each thread). A request begins
 * there, or after one empty line, which clients may send. NULL: `request` is at neither place. */
static const char *buffer_start(const char *request)
{
        static _Thread_local const char *start;
        bool after_line =
                (uintptr_t)request % ALIGNMENT == 2 && memcmp(request - 2, "\r\n", 2) == 0;
        const char *candidate = after_line ? request - 2 : request;

        if ((uintptr_t)candidate % ALIGNMENT == 0 && (start == NULL || candidate < start) &&
            !is_white_space(candidate - 1))
                start = candidate;
        return candidate == start ? start : NULL;
}

/* The end of the request line; NULL when its words are not separated by one space each. */
static const char *request_line_end(const struct mg_request_info *info)
{
        const char *version = info->http_version - (sizeof("HTTP/") - 1);
        const char *target = info->request_method + strlen(info->request_method) + 1;
        const char *end = info->request_uri + strlen(info->request_uri);

        if (info->request_uri != target)
                return NULL;
        if (end + 1 != version)
                end += 1 + strlen(end + 1); /* civetweb cuts the query off */
        return end + 1 == version ? version + strlen(version) : NULL;
}

/* The end of a header; NULL when its line does not look like `name: value`. */
static const char *header_end(const struct mg_header *header, const char *line)
{
        const char *value = header->name + strlen(header->name) + 1;

        if (header->name != line)
                return NULL;
        value += strspn(value, " \t");
        if (value != header->value) /* there was white space before the colon */
                return NULL;
        return value + strlen(value);
}

/* Cuts off the optional white space after a value. */
static void trim(const struct mg_header *header)
{
        char *end = (char *)header->value + strlen(header->value);

        while (end > header->value && (end[-1] == ' ' || end[-1] == '\t'))
                *--end = '\0';
}

int quirk_check_head(const struct mg_request_info *info, struct err *e)
{
        const char *start = buffer_start(info->request_method);

        if (start == NULL)
                return refuse(400, e, "there is white space before the request line");
        const char *last = start + QUIRK_HEAD_SIZE - sizeof("\r\n\r");
        const char *at = request_line_end(info);
        for (int i = 0; at != NULL && i < info->num_headers; i++) {
                if (at > last || at[1] != '\0')
                        return refuse(400, e, "a line of the head does not end with CR LF");
                at = header_end(&info->http_headers[i], at + 2);
        }
        if (at == NULL)
                return refuse(400, e, "the request line or a header is malformed");
        if (at > last || at[1] != '\0')
                return refuse(400, e, "a line of the head does not end with CR LF");
        /* Without headers civetweb turns all white space there into NULs. */
        bool no_headers = info->num_headers == 0 && at[2] == '\0';
        if (!no_headers && (at[2] != '\r' || at[3] != '\0'))
                return info->num_headers >= MG_MAX_HEADERS
                               ? refuse(431, e, "the request has too many headers")
                               : refuse(400, e, "the head has a line that is no header");
        for (int i = 0; i < info->num_headers; i++)
                trim(&info->http_headers[i]);
        return 0;
}

bool quirk_is_unanswered(const struct mg_request_info *info)
{
        return info != NULL && info->request_method != NULL && info->local_uri_raw == NULL;
}

void quirk_split_target(const struct mg_request_info *info, const char **path, const char **query)
{
        char *target = (char *)info->request_uri;
        const char *authority = strstr(target, "://");
        char *mark = strchr(target, '?');

        if (mark != NULL)
                *mark++ = '\0';
        *query = mark;
        *path = authority != NULL ? strchrnul(authority + 3, '/') : target;
}

const char *quirk_refusal(int *status, const char *message)
{
        if (*status == 413)
                *status = 431;
        if (*status == 411)
                *status = 400;
        if (message == NULL)
                return "";
        if (strcmp(message, "Malformed message") == 0)
                return "this is not an HTTP/1.1 request, or its head has a tab or another control "
                       "character, is larger than 16 KiB, or did not arrive in time";
        if (strcmp(message, "Invalid URI") == 0)
                return "the request's target is malformed";
        if (strcmp(message, "Bad request") == 0)
                return "the request line or a header is malformed; in the target, bytes beyond "
                       "ASCII are written as percent escapes of UTF-8";
        return message;
}

/* Reads the next descriptor from `folder`, which is /proc/self/fd; -1: no more. */
static int next_descriptor(DIR *folder)
{
        struct dirent *entry = folder != NULL ? readdir(folder) : NULL;

        return entry != NULL ? (int)strtol(entry->d_name, NULL, 10) : -1; /* "." is 0 */
}

static void close_folder(DIR **folder)
{
        if (*folder != NULL)
                closedir(*folder);
}
#define AUTO_FOLDER __attribute__((cleanup(close_folder))) DIR

static bool is_bound_to(const struct quirk_listener *l, int fd)
{
        struct sockaddr_in near = {0};
        socklen_t size = sizeof(near);

        return getsockname(fd, (struct sockaddr *)&near, &size) == 0 &&
               near.sin_family == AF_INET && near.sin_port == l->port &&
               (l->address.s_addr == INADDR_ANY || near.sin_addr.s_addr == l->address.s_addr);
}

/* Whether fd is a connection to the listener; *far: its other end. */
static bool is_connection(const struct quirk_listener *l, int fd, struct sockaddr_in *far)
{
        socklen_t size = sizeof(*far);

        return getpeername(fd, (struct sockaddr *)far, &size) == 0 && far->sin_family == AF_INET &&
               is_bound_to(l, fd);
}

int quirk_find_socket(const struct quirk_listener *l, const struct mg_request_info *info)
{
        AUTO_FOLDER *folder = opendir("/proc/self/fd");
        struct in_addr peer;
        struct sockaddr_in far = {0};
        int found = -1;

        if (inet_pton(AF_INET, info->remote_addr, &peer) != 1)
                return -1;
        for (int fd; (fd = next_descriptor(folder)) >= 0;) {
                if (!is_connection(l, fd, &far) ||
                    far.sin_port != htons((uint16_t)info->remote_port) ||
                    far.sin_addr.s_addr != peer.s_addr)
                        continue;
                if (l->address.s_addr != INADDR_ANY)
                        return fd;
                if (found >= 0)
                        return -1;
                found = fd;
        }
        return found;
}

/* Nothing was sent to it yet, so tcpi_last_data_sent is the time since it was opened. Unread bytes
 * mean that no thread has begun to read its head. */
static bool is_late(int fd)
{
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);
        int unread = 0;

        return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
               info.tcpi_last_data_sent >= FIRST_HEAD_MS && ioctl(fd, SIOCINQ, &unread) == 0 &&
               unread == 0;
}

unsigned quirk_end_late(const struct quirk_listener *l, unsigned count,
                        bool (*known)(void *owner, int fd), void *owner)
{
        AUTO_FOLDER *folder = opendir("/proc/self/fd");
        struct sockaddr_in far = {0};
        unsigned ended = 0;

        for (int fd; ended < count && (fd = next_descriptor(folder)) >= 0;) {
                if (known(owner, fd))
                        continue;
                /* A duplicate stays the same socket even if fd is closed and used again meanwhile.
                 */
                AUTO_CLOSE int same = fcntl(fd, F_DUPFD_CLOEXEC, 0);
                if (same >= 0 && is_connection(l, same, &far) && is_late(same) &&
                    shutdown(same, SHUT_RD) == 0)
                        ended++;
        }
        return ended;
}

uint64_t quirk_bytes_received(int fd)
{
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);

        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
                return 0;
        return info.tcpi_bytes_received;
}

int quirk_write(struct mg_connection *c, struct bytes text, msec limit)
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

int quirk_take_socket(int fd, struct err *e)
{
        int ends[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
                return err_set_errno(e, "cannot make a socket");
        AUTO_CLOSE int near = ends[0];
        AUTO_CLOSE int far = ends[1];
        AUTO_CLOSE int taken = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (taken < 0 || dup3(near, fd, O_CLOEXEC) < 0)
                return err_set_errno(e, "cannot take a socket over");
        (void)far; /* closed here, so that civetweb reads the end of input */
        return own_take_fd(&taken);
}

void quirk_wake_to_stop(const struct quirk_listener *l)
{
        AUTO_FOLDER *folder = opendir("/proc/self/fd");

        for (int fd; (fd = next_descriptor(folder)) >= 0;) {
                if (is_bound_to(l, fd))
                        shutdown(fd, SHUT_RD);
        }
}

void quirk_close_left(const struct quirk_listener *l)
{
        AUTO_FOLDER *folder = opendir("/proc/self/fd");
        struct sockaddr_in far = {0};

        for (int fd; (fd = next_descriptor(folder)) >= 0;) {
                if (is_connection(l, fd, &far))
                        close(fd);
        }
}
