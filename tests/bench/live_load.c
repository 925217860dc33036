/* SPDX-License-Identifier: Apache-2.0
 *
 * live_load.c: clients of the live feed that read and drop what comes, for some seconds. Prints
 * what came as one line of JSON.
 *
 *      warren-bench-live PORT KEY CLIENTS SECONDS QUERY
 *
 * QUERY: "types=live-%d": %d is the client's number.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { QUERY_SIZE = 256, HEAD_SIZE = 1024, READ_SIZE = 256 * 1024, KEPT = 16 };

static const char kind[] = "\"kind\":";
static const char left_out[] = "\"dropped\":";

/* Counts a word in a text that comes in pieces. */
struct counter {
        const char *word;
        size_t matched;
        int64_t count;
};

struct client {
        int fd;
        int64_t bytes;
};

struct all {
        uint16_t port;
        const char *key, *query;
        int count;
        int seconds;
        int epoll;
        struct client *clients;
        struct counter events, dropped; /* of the first client; of all */
        int64_t ended;
};

static int64_t now_us(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
        fprintf(stderr, "live: %s: %s\n", what, strerror(errno));
        exit(1);
}

/* The first letter of the words stands nowhere else in them but at the end. */
static void count_in(struct counter *c, const char *text, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                if (text[i] != c->word[c->matched])
                        c->matched = text[i] == c->word[0] ? 1 : 0;
                else if (c->word[++c->matched] == '\0') {
                        c->count++;
                        c->matched = 0;
                }
        }
}

static void upgrade(const struct all *a, int number, int fd)
{
        char query[QUERY_SIZE], head[HEAD_SIZE];
        const char *at = strstr(a->query, "%d");

        if (at == NULL)
                snprintf(query, sizeof(query), "%s", a->query);
        else
                snprintf(query, sizeof(query), "%.*s%d%s", (int)(at - a->query), a->query, number,
                         at + 2);
        int length = snprintf(head, sizeof(head),
                              "GET /api/v1/live?%s HTTP/1.1\r\nHost: localhost\r\n"
                              "Authorization: Bearer %s\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                              query, a->key);
        if (write(fd, head, (size_t)length) != length)
                die("write");
        if (read(fd, head, strlen("HTTP/1.1 101")) != (ssize_t)strlen("HTTP/1.1 101") ||
            memcmp(head, "HTTP/1.1 101", strlen("HTTP/1.1 101")) != 0)
                die("refused");
}

static void open_client(struct all *a, int number)
{
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(a->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct client *c = &a->clients[number];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
                die("connect");
        upgrade(a, number, c->fd);
        if (epoll_ctl(a->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
                die("epoll_ctl");
}

static void take(struct all *a, struct client *c)
{
        static char text[READ_SIZE];
        static const char pong[] = {(char)0x8a, (char)0x80, 0, 0, 0, 0};
        ssize_t n = read(c->fd, text, sizeof(text));

        if (n <= 0) {
                epoll_ctl(a->epoll, EPOLL_CTL_DEL, c->fd, NULL);
                a->ended++;
                return;
        }
        c->bytes += n;
        if (c == a->clients)
                count_in(&a->events, text, (size_t)n);
        if (n == 2 && (unsigned char)text[0] == 0x89 && write(c->fd, pong, sizeof(pong)) < 0)
                die("pong");
        if (n < KEPT * KEPT)
                count_in(&a->dropped, text, (size_t)n);
}

static void run(struct all *a)
{
        struct epoll_event events[64];
        int64_t until = now_us() + (int64_t)a->seconds * 1000000;

        for (int64_t now = now_us(); now < until; now = now_us()) {
                int n = epoll_wait(a->epoll, events, 64, (int)((until - now) / 1000) + 1);
                for (int i = 0; i < n; i++)
                        take(a, events[i].data.ptr);
        }
}

int main(int argc, char **argv)
{
        struct all a = {.events.word = kind, .dropped.word = left_out};
        struct rlimit limit;
        int64_t bytes = 0;

        if (argc != 6) {
                fprintf(stderr, "usage: %s PORT KEY CLIENTS SECONDS QUERY\n", argv[0]);
                return 2;
        }
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        a.port = (uint16_t)strtoul(argv[1], NULL, 10);
        a.key = argv[2];
        a.count = (int)strtol(argv[3], NULL, 10);
        a.seconds = (int)strtol(argv[4], NULL, 10);
        a.query = argv[5];
        a.epoll = epoll_create1(EPOLL_CLOEXEC);
        a.clients = calloc((size_t)a.count, sizeof(*a.clients));
        if (a.clients == NULL)
                die("memory");
        for (int i = 0; i < a.count; i++)
                open_client(&a, i);
        run(&a);
        for (int i = 0; i < a.count; i++)
                bytes += a.clients[i].bytes;
        printf("{\"clients\":%d,\"ended\":%" PRId64 ",\"bytes\":%" PRId64
               ",\"events_of_the_first\":%" PRId64 ",\"dropped_messages\":%" PRId64 "}\n",
               a.count, a.ended, bytes, a.events.count, a.dropped.count);
        free(a.clients);
        return 0;
}
