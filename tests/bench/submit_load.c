/* SPDX-License-Identifier: Apache-2.0
 *
 * submit_load.c: submits jobs over HTTP on keep-alive connections, each with one request in flight.
 * Prints counts by status and the latencies as one line of JSON.
 *
 *      warren-bench-submit PORT KEY JOBS CONNECTIONS TYPE PAYLOAD [DELAYS [PRIORITIES]]
 *
 * PAYLOAD: the bytes of a text, or a JSON object.
 * DELAYS: "500,1000,2000": each job one of these, in turn; "100-3000": any between, seeded (ms);
 * "0": none.
 * PRIORITIES: "critical,medium": each job one of these, in turn.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
        CONNECTIONS_MAX = 1024,
        DELAYS_MAX = 8,
        PRIORITIES_MAX = 8,
        REPLY_MAX = 8192,
        STATUS_MAX = 600,
};

struct connection {
        int fd;
        int64_t sent_us;
        size_t length; /* of reply */
        char reply[REPLY_MAX];
};

struct load {
        uint16_t port;
        const char *key, *type;
        int64_t jobs, sent, answered;
        int connection_count;
        char *payload, *request;
        size_t request_size;
        int64_t delays[DELAYS_MAX];
        int delay_count;
        bool delay_range;
        const char *priorities[PRIORITIES_MAX];
        int priority_count;
        uint64_t random;
        int epoll;
        int64_t *latency_us;
        int64_t by_status[STATUS_MAX];
        struct connection *connections;
};

static int64_t now_us(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
        fprintf(stderr, "submit: %s: %s\n", what, strerror(errno));
        abort();
}

static uint64_t random_next(struct load *l) /* xorshift64 (Marsaglia 2003) */
{
        l->random ^= l->random << 13;
        l->random ^= l->random >> 7;
        l->random ^= l->random << 17;
        return l->random;
}

static int64_t delay_of(struct load *l, int64_t job)
{
        if (l->delay_count == 0)
                return 0;
        if (l->delay_range)
                return l->delays[0] +
                       (int64_t)(random_next(l) % (uint64_t)(l->delays[1] - l->delays[0] + 1));
        return l->delays[job % l->delay_count];
}

static size_t request_write(struct load *l)
{
        char body_end[128] = "}";
        char priority[64] = "";
        int64_t delay = delay_of(l, l->sent);

        if (l->priority_count > 0)
                snprintf(priority, sizeof(priority), ",\"priority\":\"%.16s\"",
                         l->priorities[l->sent % l->priority_count]);
        if (delay > 0)
                snprintf(body_end, sizeof(body_end), "%s,\"delay\":\"%" PRId64 "ms\"}", priority,
                         delay);
        else
                snprintf(body_end, sizeof(body_end), "%s}", priority);
        size_t body = strlen("{\"type\":\"\",\"payload\":") + strlen(l->type) + strlen(l->payload) +
                      strlen(body_end);
        return (size_t)snprintf(l->request, l->request_size,
                                "POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
                                "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                                "Content-Length: %zu\r\n\r\n{\"type\":\"%s\",\"payload\":%s%s",
                                l->key, body, l->type, l->payload, body_end);
}

static void send_next(struct load *l, struct connection *c)
{
        if (l->sent == l->jobs)
                return;
        size_t length = request_write(l);
        c->length = 0;
        c->sent_us = now_us();
        for (size_t done = 0; done < length;) {
                ssize_t n = write(c->fd, l->request + done, length - done);
                if (n < 0)
                        die("write");
                done += (size_t)n;
        }
        l->sent++;
}

static void connection_open(struct load *l, struct connection *c)
{
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(l->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int on = 1;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
                die("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
                die("epoll_ctl");
}

/* The length of the whole answer once its header has arrived; 0: not yet. */
static size_t reply_length(struct connection *c)
{
        c->reply[c->length] = '\0';
        char *end = strstr(c->reply, "\r\n\r\n");
        char *length = strcasestr(c->reply, "\r\nContent-Length:");
        if (end == NULL || length == NULL || length > end)
                return 0;
        return (size_t)(end - c->reply) + 4 +
               strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
}

static void on_readable(struct load *l, struct connection *c)
{
        ssize_t n = read(c->fd, c->reply + c->length, sizeof(c->reply) - 1 - c->length);
        if (n <= 0)
                die("the gateway closed a connection");
        c->length += (size_t)n;
        size_t whole = reply_length(c);
        if (whole == 0 || c->length < whole)
                return;
        long status = strtol(c->reply + strlen("HTTP/1.1 "), NULL, 10);
        if (status >= 0 && status < STATUS_MAX)
                l->by_status[status]++;
        l->latency_us[l->answered++] = now_us() - c->sent_us;
        send_next(l, c);
}

static void run(struct load *l)
{
        struct epoll_event events[64];

        for (int i = 0; i < l->connection_count; i++)
                send_next(l, &l->connections[i]);
        while (l->answered < l->sent) {
                int n = epoll_wait(l->epoll, events, 64, 60000);
                if (n <= 0)
                        die("no answer for a minute");
                for (int i = 0; i < n; i++)
                        on_readable(l, events[i].data.ptr);
        }
}

static int by_value(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return (x > y) - (x < y);
}

static double percentile_ms(const struct load *l, double p)
{
        return (double)l->latency_us[(int64_t)(p * (double)(l->answered - 1))] / 1000.0;
}

static void report(struct load *l, double seconds)
{
        qsort(l->latency_us, (size_t)l->answered, sizeof(*l->latency_us), by_value);
        printf("{\"jobs\":%" PRId64
               ",\"seconds\":%.3f,\"per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
               "\"status\":{",
               l->answered, seconds, (double)l->answered / seconds, percentile_ms(l, 0.5),
               percentile_ms(l, 0.99));
        const char *comma = "";
        for (int i = 0; i < STATUS_MAX; i++) {
                if (l->by_status[i] > 0) {
                        printf("%s\"%d\":%" PRId64, comma, i, l->by_status[i]);
                        comma = ",";
                }
        }
        printf("}}\n");
}

static void delays_parse(struct load *l, char *text)
{
        l->delay_range = strchr(text, '-') != NULL;
        for (char *word = strtok(text, ",-"); word != NULL && l->delay_count < DELAYS_MAX;
             word = strtok(NULL, ",-"))
                l->delays[l->delay_count++] = strtoll(word, NULL, 10);
}

static void priorities_parse(struct load *l, char *text)
{
        for (char *word = strtok(text, ","); word != NULL && l->priority_count < PRIORITIES_MAX;
             word = strtok(NULL, ","))
                l->priorities[l->priority_count++] = word;
}

static char *payload_of(const char *text)
{
        size_t bytes = text[0] == '{' ? strlen(text) : strtoul(text, NULL, 10);
        char *payload = calloc(1, bytes + 5);

        if (payload == NULL)
                die("memory");
        if (text[0] == '{')
                return memcpy(payload, text, bytes);
        if (bytes < 2)
                return memcpy(payload, "null", sizeof("null"));
        memset(payload, 'x', bytes);
        payload[0] = payload[bytes - 1] = '"';
        return payload;
}

int main(int argc, char **argv)
{
        if (argc < 7 || argc > 9) {
                fprintf(stderr,
                        "usage: %s PORT KEY JOBS CONNECTIONS TYPE PAYLOAD [DELAYS [PRIORITIES]]\n",
                        argv[0]);
                return 2;
        }
        struct load l = {.port = (uint16_t)strtoul(argv[1], NULL, 10),
                         .key = argv[2],
                         .jobs = strtoll(argv[3], NULL, 10),
                         .connection_count = (int)strtol(argv[4], NULL, 10),
                         .type = argv[5],
                         .payload = payload_of(argv[6]),
                         .random = 88172645463325252u,
                         .epoll = epoll_create1(EPOLL_CLOEXEC)};
        if (l.jobs < 1 || l.connection_count < 1 || l.connection_count > CONNECTIONS_MAX)
                return 2;
        if (argc > 7)
                delays_parse(&l, argv[7]);
        if (argc > 8)
                priorities_parse(&l, argv[8]);
        l.request_size = strlen(l.payload) + 1024;
        l.request = calloc(1, l.request_size);
        l.latency_us = calloc((size_t)l.jobs, sizeof(*l.latency_us));
        l.connections = calloc((size_t)l.connection_count, sizeof(*l.connections));
        for (int i = 0; i < l.connection_count; i++)
                connection_open(&l, &l.connections[i]);

        int64_t start = now_us();
        run(&l);
        report(&l, (double)(now_us() - start) / 1e6);
        free(l.connections);
        free(l.latency_us);
        free(l.request);
        free(l.payload);
        return 0;
}
