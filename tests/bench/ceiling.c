/* SPDX-License-Identifier: Apache-2.0
 *
 * ceiling.c: measures what the broker itself can do with Warren's durable work, with raw rabbitmq-c
 * and nothing around it. All of this runs at once: publish with confirms to a quorum queue and a
 * stream by one direct key, consume, publish finish events to the stream in confirmed batches,
 * acknowledge, read the stream. Prints one line of JSON.
 *
 *      warren-bench-ceiling PORT LOGIN PASSWORD JOBS PAYLOAD_BYTES
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "common/amqp/rabbitmq.h"

enum {
        CHANNEL = 1,
        PUBLISH_BATCH = 64,
        WINDOW = 1024,      /* unconfirmed publishes, as the gateway's link allows */
        FINISH_BATCH = 32,  /* finish events per message */
        FINISH_WINDOW = 16, /* unconfirmed batches */
        FINISH_RING = FINISH_WINDOW * 4,
        PREFETCH = 1000,
        STREAM_PREFETCH = 2000,
        LINE_MAX_BYTES = 256,
};

#define EXCHANGE "bench.jobs"
#define QUEUE "bench.jobs.medium"
#define STREAM "bench.events"
#define KEY "medium"

struct bench {
        int port;
        const char *login, *password;
        int64_t jobs;
        char *payload;
        int64_t started_ns;
        double published_s, consumed_s, read_s;
};

static int64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double seconds_since(int64_t start_ns)
{
        return (double)(now_ns() - start_ns) / 1e9;
}

static void die(const char *what)
{
        fprintf(stderr, "ceiling: %s\n", what);
        abort();
}

static void check(amqp_rpc_reply_t reply, const char *what)
{
        if (reply.reply_type != AMQP_RESPONSE_NORMAL)
                die(what);
}

static void check_status(int status, const char *what)
{
        if (status != AMQP_STATUS_OK)
                die(what);
}

static amqp_connection_state_t connection_open(const struct bench *b)
{
        amqp_connection_state_t c = amqp_new_connection();
        amqp_socket_t *socket = amqp_tcp_socket_new(c);

        check_status(amqp_socket_open(socket, "127.0.0.1", b->port), "cannot connect");
        check(amqp_login(c, "warren", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, b->login, b->password),
              "login refused");
        amqp_channel_open(c, CHANNEL);
        check(amqp_get_rpc_reply(c), "no channel");
        return c;
}

static void connection_close(amqp_connection_state_t c)
{
        amqp_connection_close(c, AMQP_REPLY_SUCCESS);
        amqp_destroy_connection(c);
}

static amqp_table_entry_t text_entry(const char *name, const char *value)
{
        return (amqp_table_entry_t){
                .key = amqp_cstring_bytes(name),
                .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)}};
}

static amqp_table_entry_t int_entry(const char *name, int64_t value)
{
        return (amqp_table_entry_t){.key = amqp_cstring_bytes(name),
                                    .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = value}};
}

static void declare_queue(amqp_connection_state_t c, const char *name, amqp_table_entry_t *entries,
                          int count)
{
        amqp_table_t arguments = {.num_entries = count, .entries = entries};

        amqp_queue_delete(c, CHANNEL, amqp_cstring_bytes(name), 0, 0);
        check(amqp_get_rpc_reply(c), "cannot delete a queue");
        amqp_queue_declare(c, CHANNEL, amqp_cstring_bytes(name), 0, 1, 0, 0, arguments);
        check(amqp_get_rpc_reply(c), "cannot declare a queue");
}

/* The arguments of jobs.<tenant>.<lane> and events in common/topology/table.c. */
static void declare(const struct bench *b)
{
        amqp_connection_state_t c = connection_open(b);
        amqp_table_entry_t quorum[] = {
                text_entry("x-queue-type", "quorum"),
                int_entry("x-delivery-limit", 1000),
                text_entry("x-dead-letter-exchange", "dead"),
                text_entry("x-dead-letter-routing-key", "bench.medium"),
                text_entry("x-dead-letter-strategy", "at-least-once"),
                text_entry("x-overflow", "reject-publish"),
        };
        amqp_table_entry_t stream[] = {
                text_entry("x-queue-type", "stream"),
                text_entry("x-max-age", "7D"),
                int_entry("x-max-length-bytes", (int64_t)10 * 1000 * 1000 * 1000),
        };

        amqp_exchange_declare(c, CHANNEL, amqp_cstring_bytes(EXCHANGE),
                              amqp_cstring_bytes("direct"), 0, 1, 0, 0, amqp_empty_table);
        check(amqp_get_rpc_reply(c), "cannot declare the exchange");
        declare_queue(c, QUEUE, quorum, 6);
        declare_queue(c, STREAM, stream, 3);
        const char *bound[] = {QUEUE, STREAM, STREAM};
        const char *keys[] = {KEY, KEY, "events"};
        for (int i = 0; i < 3; i++) {
                amqp_queue_bind(c, CHANNEL, amqp_cstring_bytes(bound[i]),
                                amqp_cstring_bytes(EXCHANGE), amqp_cstring_bytes(keys[i]),
                                amqp_empty_table);
                check(amqp_get_rpc_reply(c), "cannot bind");
        }
        connection_close(c);
}

static void remove_all(const struct bench *b)
{
        amqp_connection_state_t c = connection_open(b);

        amqp_queue_delete(c, CHANNEL, amqp_cstring_bytes(QUEUE), 0, 0);
        amqp_queue_delete(c, CHANNEL, amqp_cstring_bytes(STREAM), 0, 0);
        amqp_exchange_delete(c, CHANNEL, amqp_cstring_bytes(EXCHANGE), 0);
        connection_close(c);
}

/* Takes confirms until at most `allowed` publishes are open. A multiple ack settles every tag up to
 * its own. Single acks may come out of order; only their number matters here. */
struct confirms {
        uint64_t published, settled_below; /* every tag below is settled */
        int64_t open;
        unsigned char *settled; /* indexed by tag modulo `size` */
        size_t size;
};

static void confirms_settle(struct confirms *w, const amqp_basic_ack_t *ack)
{
        uint64_t first = ack->multiple ? w->settled_below : ack->delivery_tag;

        for (uint64_t tag = first; tag <= ack->delivery_tag; tag++) {
                if (!w->settled[tag % w->size]) {
                        w->settled[tag % w->size] = 1;
                        w->open--;
                }
        }
        while (w->settled_below <= w->published && w->settled[w->settled_below % w->size]) {
                w->settled[w->settled_below % w->size] = 0;
                w->settled_below++;
        }
}

static void confirms_wait(amqp_connection_state_t c, struct confirms *w, int64_t allowed)
{
        amqp_frame_t frame;
        struct timeval none = {0};

        for (;;) {
                int status =
                        amqp_simple_wait_frame_noblock(c, &frame, w->open > allowed ? NULL : &none);
                if (status == AMQP_STATUS_TIMEOUT)
                        return;
                check_status(status, "waiting for a confirm");
                if (frame.frame_type != AMQP_FRAME_METHOD ||
                    frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
                        die("a publish was not acknowledged");
                confirms_settle(w, frame.payload.method.decoded);
                amqp_maybe_release_buffers(c);
        }
}

static void publish(amqp_connection_state_t c, struct confirms *w, const char *key,
                    const amqp_basic_properties_t *properties, amqp_bytes_t body)
{
        check_status(amqp_basic_publish(c, CHANNEL, amqp_cstring_bytes(EXCHANGE),
                                        amqp_cstring_bytes(key), 0, 0, properties, body),
                     "publish");
        w->published++;
        w->open++;
}

/* A publish is three small writes. Corking sends one segment per batch, which saves work on both
 * sides. */
static void cork(amqp_connection_state_t c, int on)
{
        setsockopt(amqp_get_sockfd(c), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

static struct confirms confirms_init(amqp_connection_state_t c, size_t size)
{
        amqp_confirm_select(c, CHANNEL);
        check(amqp_get_rpc_reply(c), "no confirms");
        return (struct confirms){.settled_below = 1, .settled = calloc(size, 1), .size = size};
}

static void job_properties(amqp_basic_properties_t *p, amqp_table_entry_t *headers,
                           const char *login, const char *id)
{
        headers[0] = int_entry("x-max-retries", 3);
        headers[1] = int_entry("x-submitted-at", 1732250000123);
        headers[2] = int_entry("x-queued-at", 1732250000123);
        headers[3] = text_entry("traceparent",
                                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        *p = (amqp_basic_properties_t){
                ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                          AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG |
                          AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_USER_ID_FLAG |
                          AMQP_BASIC_HEADERS_FLAG,
                .content_type = amqp_cstring_bytes("application/json"),
                .delivery_mode = 2,
                .message_id = amqp_cstring_bytes(id),
                .type = amqp_cstring_bytes("noop"),
                .timestamp = 1732250000,
                .user_id = amqp_cstring_bytes(login),
                .headers = {.num_entries = 4, .entries = headers},
        };
}

static void *publisher(void *argument)
{
        struct bench *b = argument;
        amqp_connection_state_t c = connection_open(b);
        struct confirms w = confirms_init(c, WINDOW * 4);
        amqp_bytes_t body = amqp_cstring_bytes(b->payload);
        amqp_table_entry_t headers[4];
        amqp_basic_properties_t properties;
        char id[37];

        cork(c, 1);
        for (int64_t i = 0; i < b->jobs; i++) {
                snprintf(id, sizeof(id), "01900000-0000-7000-8000-%012" PRIx64,
                         (uint64_t)i & 0xffffffffffff);
                job_properties(&properties, headers, b->login, id);
                publish(c, &w, KEY, &properties, body);
                if (i % PUBLISH_BATCH == 0) {
                        cork(c, 0);
                        confirms_wait(c, &w, WINDOW - PUBLISH_BATCH);
                        cork(c, 1);
                }
        }
        cork(c, 0);
        confirms_wait(c, &w, 0);
        b->published_s = seconds_since(b->started_ns);
        free(w.settled);
        connection_close(c);
        return NULL;
}

static void finish_flush(amqp_connection_state_t c, struct confirms *w, char *lines, size_t *length)
{
        amqp_basic_properties_t properties = {
                ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
                .content_type = amqp_cstring_bytes("application/x-ndjson"),
                .delivery_mode = 2,
        };

        publish(c, w, "events", &properties, (amqp_bytes_t){.len = *length, .bytes = lines});
        *length = 0;
}

/* Consumes on one connection and publishes finish events on another. Acknowledges a batch once it
 * is confirmed. */
static void *consumer(void *argument)
{
        struct bench *b = argument;
        amqp_connection_state_t in = connection_open(b), out = connection_open(b);
        struct confirms w = confirms_init(out, FINISH_RING);
        static char lines[FINISH_BATCH * LINE_MAX_BYTES];
        size_t length = 0;
        uint64_t last_of[FINISH_RING] = {0}; /* a batch's publish → its last delivery */
        uint64_t acked = 0;                  /* number of batches */

        amqp_basic_qos(in, CHANNEL, 0, PREFETCH, 0);
        amqp_basic_consume(in, CHANNEL, amqp_cstring_bytes(QUEUE), amqp_empty_bytes, 0, 0, 0,
                           amqp_empty_table);
        check(amqp_get_rpc_reply(in), "cannot consume");
        for (int64_t i = 1; i <= b->jobs; i++) {
                amqp_envelope_t e;

                check(amqp_consume_message(in, &e, NULL, 0), "consuming");
                length += (size_t)snprintf(
                        lines + length, LINE_MAX_BYTES,
                        "{\"event\":\"completed\",\"id\":\"%.*s\",\"tenant\":\"bench\",\"run\":1,"
                        "\"attempt\":1,\"at\":1732250000150,\"ms\":1}\n",
                        (int)e.message.properties.message_id.len,
                        (char *)e.message.properties.message_id.bytes);
                if (i % FINISH_BATCH == 0 || i == b->jobs) {
                        finish_flush(out, &w, lines, &length);
                        last_of[w.published % FINISH_RING] = e.delivery_tag;
                        confirms_wait(out, &w, i == b->jobs ? 0 : FINISH_WINDOW);
                        if (w.settled_below > acked + 1) {
                                acked = w.settled_below - 1;
                                amqp_basic_ack(in, CHANNEL, last_of[acked % FINISH_RING], 1);
                        }
                }
                amqp_destroy_envelope(&e);
                amqp_maybe_release_buffers(in);
        }
        b->consumed_s = seconds_since(b->started_ns);
        free(w.settled);
        connection_close(in);
        connection_close(out);
        return NULL;
}

static int64_t lines_in(amqp_bytes_t body)
{
        int64_t count = 0;
        const char *at = body.bytes, *end = at + body.len;

        while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
                count++;
                at++;
        }
        return count;
}

static void *reader(void *argument)
{
        struct bench *b = argument;
        amqp_connection_state_t c = connection_open(b);
        amqp_table_entry_t first = text_entry("x-stream-offset", "first");
        amqp_table_t arguments = {.num_entries = 1, .entries = &first};
        int64_t submitted = 0, finished = 0, unacked = 0;

        amqp_basic_qos(c, CHANNEL, 0, STREAM_PREFETCH, 0);
        amqp_basic_consume(c, CHANNEL, amqp_cstring_bytes(STREAM), amqp_empty_bytes, 0, 0, 0,
                           arguments);
        check(amqp_get_rpc_reply(c), "cannot read the stream");
        while (submitted < b->jobs || finished < b->jobs) {
                amqp_envelope_t e;

                check(amqp_consume_message(c, &e, NULL, 0), "reading the stream");
                if (e.message.properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG)
                        submitted++;
                else
                        finished += lines_in(e.message.body);
                if (++unacked == STREAM_PREFETCH / 4) {
                        amqp_basic_ack(c, CHANNEL, e.delivery_tag, 1);
                        unacked = 0;
                }
                amqp_destroy_envelope(&e);
                amqp_maybe_release_buffers(c);
        }
        b->read_s = seconds_since(b->started_ns);
        connection_close(c);
        return NULL;
}

int main(int argc, char **argv)
{
        if (argc != 6) {
                fprintf(stderr, "usage: %s PORT LOGIN PASSWORD JOBS PAYLOAD_BYTES\n", argv[0]);
                return 2;
        }
        struct bench b = {.port = (int)strtol(argv[1], NULL, 10),
                          .login = argv[2],
                          .password = argv[3],
                          .jobs = strtoll(argv[4], NULL, 10)};
        size_t bytes = strtoul(argv[5], NULL, 10);
        b.payload = calloc(1, bytes + 1);
        memset(b.payload, 'x', bytes);
        if (bytes >= 2)
                b.payload[0] = b.payload[bytes - 1] = '"';

        declare(&b);
        void *(*const parts[])(void *) = {reader, consumer, publisher};
        pthread_t threads[3];
        b.started_ns = now_ns();
        for (int i = 0; i < 3; i++)
                pthread_create(&threads[i], NULL, parts[i], &b);
        for (int i = 0; i < 3; i++)
                pthread_join(threads[i], NULL);
        printf("{\"jobs\":%" PRId64 ",\"seconds\":%.3f,\"jobs_per_s\":%.0f,\"published_s\":%.3f,"
               "\"consumed_s\":%.3f,\"read_s\":%.3f}\n",
               b.jobs, b.read_s, (double)b.jobs / b.read_s, b.published_s, b.consumed_s, b.read_s);
        remove_all(&b);
        free(b.payload);
        return 0;
}
