/* SPDX-License-Identifier: Apache-2.0
 *
 * submit_load.c: submits jobs over HTTP on keep-alive connections, each with one request in flight.
 * Prints counts by status and the latencies as one line of JSON.
 *
 *      warren-bench-submit [--batch N] [--keys PREFIX] [--rate N]
 *              PORT KEY JOBS CONNECTIONS TYPE PAYLOAD [DELAYS [PRIORITIES]]
 *
 * --batch: each request has N jobs, as lines of POST /api/v1/jobs/batch.
 * --keys: each job has an idempotency key, PREFIX-0, PREFIX-1 …
 * --rate: so many jobs a second, evenly, if the connections suffice.
 * PAYLOAD: the bytes of a text, or a JSON object.
 * DELAYS: "500,1000,2000": each job one of these, in turn; "100-3000": any between, seeded (ms);
 * "0": none.
 * PRIORITIES: "critical,medium": each job one of these, in turn.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
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
        REPLY_MAX = 8192, /* what is kept of a reply; the rest is only counted */
        HEAD_MAX = 1024,
        JOB_MAX = 512, /* a job without its type and payload */
        STATUS_MAX = 600,
};

struct connection {
        int fd;
        int64_t sent_us, jobs; /* of the request */
        char *request;
        size_t request_length, written;
        size_t received, length; /* of the reply: in all, and what is kept of it */
        char reply[REPLY_MAX];
        struct connection *idle_next;
};

struct load {
        uint16_t port;
        const char *key, *type, *keys;       /* keys: or NULL */
        int64_t batch;                       /* jobs of a request; 0: each alone */
        int64_t rate, start_us;              /* jobs a second; 0: as fast as they are answered */
        struct connection *idle, **idle_end; /* without a request in flight, in turn */
        int64_t jobs, sent;                  /* jobs */
        int64_t requests, answered;
        int64_t accepted; /* jobs */
        int connection_count;
        char *payload, *body;
        size_t body_size;
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

static size_t job_write(struct load *l, int64_t number, char *out, size_t size)
{
        char priority[64] = "", delayed[64] = "", key[128] = "";
        int64_t delay = delay_of(l, number);

        if (l->priority_count > 0)
                snprintf(priority, sizeof(priority), ",\"priority\":\"%.16s\"",
                         l->priorities[number % l->priority_count]);
        if (delay > 0)
                snprintf(delayed, sizeof(delayed), ",\"delay\":\"%" PRId64 "ms\"", delay);
        if (l->keys != NULL)
                snprintf(key, sizeof(key), ",\"idempotency_key\":\"%.64s-%" PRId64 "\"", l->keys,
                         number);
        return (size_t)snprintf(out, size, "{\"type\":\"%s\",\"payload\":%s%s%s%s}", l->type,
                                l->payload, priority, delayed, key);
}

static void request_write(struct load *l, struct connection *c)
{
        size_t body = 0;

        for (int64_t i = 0; i < c->jobs; i++) {
                body += job_write(l, l->sent + i, l->body + body, l->body_size - body);
                if (l->batch > 0)
                        l->body[body++] = '\n';
        }
        int head = snprintf(c->request, HEAD_MAX,
                            "POST /api/v1/jobs%s HTTP/1.1\r\nHost: localhost\r\n"
                            "Authorization: Bearer %s\r\nContent-Type: application/%s\r\n"
                            "Content-Length: %zu\r\n\r\n",
                            l->batch > 0 ? "/batch" : "", l->key,
                            l->batch > 0 ? "x-ndjson" : "json", body);
        memcpy(c->request + head, l->body, body);
        c->request_length = (size_t)head + body;
        c->written = 0;
}

static void watch(const struct load *l, struct connection *c, uint32_t events)
{
        struct epoll_event event = {.events = events, .data.ptr = c};

        if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &event) != 0)
                die("epoll_ctl");
}

/* A large request does not fit into the socket: the rest follows when there is room. */
static void write_more(const struct load *l, struct connection *c)
{
        while (c->written < c->request_length) {
                ssize_t n = send(c->fd, c->request + c->written, c->request_length - c->written,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
                if (n < 0 && errno == EAGAIN) {
                        watch(l, c, EPOLLIN | EPOLLOUT);
                        return;
                }
                if (n < 0)
                        die("send");
                c->written += (size_t)n;
        }
}

static void send_next(struct load *l, struct connection *c)
{
        int64_t left = l->jobs - l->sent, most = l->batch > 0 ? l->batch : 1;

        if (left == 0)
                return;
        c->jobs = left < most ? left : most;
        request_write(l, c);
        c->received = c->length = 0;
        c->sent_us = now_us();
        l->sent += c->jobs;
        l->requests++;
        write_more(l, c);
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

/* Keeps the beginning of the reply. */
static void receive(struct connection *c)
{
        static char dropped[65536];
        size_t room = sizeof(c->reply) - 1 - c->length;
        ssize_t n = room > 0 ? read(c->fd, c->reply + c->length, room)
                             : read(c->fd, dropped, sizeof(dropped));

        if (n <= 0)
                die("the gateway closed a connection");
        c->received += (size_t)n;
        if (room > 0)
                c->length += (size_t)n;
}

/* A batch's answer begins with how many were. */
static int64_t jobs_accepted(const struct load *l, const struct connection *c)
{
        static const char name[] = "\"accepted\":";

        if (strncmp(c->reply, "HTTP/1.1 202", strlen("HTTP/1.1 202")) != 0)
                return 0;
        if (l->batch == 0)
                return 1;
        const char *at = strstr(c->reply, name);
        return at != NULL ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static void become_idle(struct load *l, struct connection *c)
{
        c->idle_next = NULL;
        *l->idle_end = c;
        l->idle_end = &c->idle_next;
}

static void on_readable(struct load *l, struct connection *c)
{
        receive(c);
        size_t whole = reply_length(c);
        if (whole == 0 || c->received < whole)
                return;
        if (c->written < c->request_length)
                die("an answer before the whole request was sent");
        long status = strtol(c->reply + strlen("HTTP/1.1 "), NULL, 10);
        if (status >= 0 && status < STATUS_MAX)
                l->by_status[status]++;
        l->accepted += jobs_accepted(l, c);
        l->latency_us[l->answered++] = now_us() - c->sent_us;
        become_idle(l, c);
}

static void on_writable(const struct load *l, struct connection *c)
{
        write_more(l, c);
        if (c->written == c->request_length)
                watch(l, c, EPOLLIN);
}

/* Sends what is due, over connections that are idle. */
static void send_due(struct load *l)
{
        int64_t due = l->jobs;

        if (l->rate > 0)
                due = (now_us() - l->start_us) * l->rate / 1000000 + 1;
        while (l->idle != NULL && l->sent < l->jobs && l->sent < due) {
                struct connection *c = l->idle;
                l->idle = c->idle_next;
                if (l->idle == NULL)
                        l->idle_end = &l->idle;
                send_next(l, c);
        }
}

static void run(struct load *l)
{
        struct epoll_event events[64];

        l->start_us = now_us();
        l->idle_end = &l->idle;
        for (int i = 0; i < l->connection_count; i++)
                become_idle(l, &l->connections[i]);
        while (l->answered < l->requests || l->sent < l->jobs) {
                send_due(l);
                bool paced = l->rate > 0 && l->idle != NULL && l->sent < l->jobs;
                int n = epoll_wait(l->epoll, events, 64, paced ? 1 : 60000);
                if (n < 0 || (n == 0 && !paced))
                        die("no answer for a minute");
                for (int i = 0; i < n; i++) {
                        if (events[i].events & EPOLLOUT)
                                on_writable(l, events[i].data.ptr);
                        if (events[i].events & ~(uint32_t)EPOLLOUT)
                                on_readable(l, events[i].data.ptr);
                }
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
        printf("{\"jobs\":%" PRId64 ",\"accepted\":%" PRId64
               ",\"seconds\":%.3f,\"per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
               "\"status\":{",
               l->sent, l->accepted, seconds, (double)l->sent / seconds, percentile_ms(l, 0.5),
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

static bool read_arguments(struct load *l, int argc, char **argv)
{
        static const struct option options[] = {{"batch", required_argument, NULL, 'b'},
                                                {"keys", required_argument, NULL, 'k'},
                                                {"rate", required_argument, NULL, 'r'},
                                                {0}};
        int option;

        while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
                if (option == 'b')
                        l->batch = strtoll(optarg, NULL, 10);
                else if (option == 'k')
                        l->keys = optarg;
                else if (option == 'r')
                        l->rate = strtoll(optarg, NULL, 10);
                else
                        return false;
        }
        argv += optind;
        argc -= optind;
        if (argc < 6 || argc > 8)
                return false;
        l->port = (uint16_t)strtoul(argv[0], NULL, 10);
        l->key = argv[1];
        l->jobs = strtoll(argv[2], NULL, 10);
        l->connection_count = (int)strtol(argv[3], NULL, 10);
        l->type = argv[4];
        l->payload = payload_of(argv[5]);
        if (argc > 6)
                delays_parse(l, argv[6]);
        if (argc > 7)
                priorities_parse(l, argv[7]);
        return l->jobs >= 1 && l->batch >= 0 && l->connection_count >= 1 &&
               l->connection_count <= CONNECTIONS_MAX;
}

static void prepare(struct load *l)
{
        int64_t most = l->batch > 0 ? l->batch : 1;

        l->body_size = (size_t)most * (strlen(l->payload) + strlen(l->type) + JOB_MAX);
        l->body = calloc(1, l->body_size);
        l->latency_us = calloc((size_t)l->jobs, sizeof(*l->latency_us));
        l->connections = calloc((size_t)l->connection_count, sizeof(*l->connections));
        for (int i = 0; i < l->connection_count; i++) {
                l->connections[i].request = calloc(1, l->body_size + HEAD_MAX);
                connection_open(l, &l->connections[i]);
        }
}

int main(int argc, char **argv)
{
        struct load l = {.random = 88172645463325252u, .epoll = epoll_create1(EPOLL_CLOEXEC)};

        if (!read_arguments(&l, argc, argv)) {
                fprintf(stderr,
                        "usage: %s [--batch N] [--keys PREFIX] [--rate N] "
                        "PORT KEY JOBS CONNECTIONS TYPE PAYLOAD [DELAYS [PRIORITIES]]\n",
                        argv[0]);
                return 2;
        }
        prepare(&l);
        int64_t start = now_us();
        run(&l);
        report(&l, (double)(now_us() - start) / 1e6);
        for (int i = 0; i < l.connection_count; i++)
                free(l.connections[i].request);
        free(l.connections);
        free(l.latency_us);
        free(l.body);
        free(l.payload);
        return 0;
}
