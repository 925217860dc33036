/* SPDX-License-Identifier: Apache-2.0
 *
 * ceiling.c: measures what the broker itself can do with Warren's durable work, with raw rabbitmq-c
 * and nothing around it. All of this runs at once: submit jobs to a quorum queue and a stream, with
 * confirms, consume, publish finish events to the stream in confirmed batches, acknowledge, read
 * the stream. Prints one line of JSON.
 *
 *      warren-bench-ceiling PORT LOGIN PASSWORD JOBS PAYLOAD_BYTES [--ceiling FORM]
 *              [--in-flight N]
 *
 * packs (the default): a job goes to its queue, then to the stream in a pack. single: to both by
 * one publish. queue: the jobs are published to their queue, confirmed, and nothing else is done.
 */
#include "tests/bench/ceiling.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
        FINISH_BATCH = 32,  /* finish events per message */
        FINISH_WINDOW = 16, /* unconfirmed batches */
        FINISH_RING = FINISH_WINDOW * 4,
        PREFETCH = 1000,
        STREAM_PREFETCH = 2000,
        LINE_MAX_BYTES = 256,
        BINDINGS = sizeof(((struct form *)NULL)->bindings) / sizeof(struct form_binding),
};

#define QUEUE "bench.jobs.medium"
#define STREAM "bench.events"

static const struct form forms[] = {
        {
                .name = "packs",
                .jobs = {"bench.work", "bench.medium", .mandatory = 1},
                .events = {"bench.events", ""},
                .bindings = {{"direct", {"bench.work", "bench.medium"}, QUEUE},
                             {"fanout", {"bench.events", ""}, STREAM}},
                .finish_end = ",\"type\":\"noop\"}\n",
                .submit = submit_packs,
        },
        {
                .name = "single",
                .jobs = {"bench.jobs", "medium"},
                .events = {"bench.jobs", "events"},
                .bindings = {{"direct", {"bench.jobs", "medium"}, QUEUE},
                             {"direct", {"bench.jobs", "medium"}, STREAM},
                             {"direct", {"bench.jobs", "events"}, STREAM}},
                .finish_end = "}\n",
                .submit = submit_single,
        },
        {
                .name = "queue",
                .jobs = {"bench.work", "bench.medium", .mandatory = 1},
                .bindings = {{"direct", {"bench.work", "bench.medium"}, QUEUE}},
                .submit = submit_single,
        },
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

/* The arguments of jobs.<tenant>.<lane> and events in common/topology/table.c. */
static void declare(const struct bench *b)
{
        amqp_connection_state_t c = raw_connect(&b->login);
        amqp_table_entry_t quorum[] = {
                raw_text_entry("x-queue-type", "quorum"),
                raw_int_entry("x-delivery-limit", 1000),
                raw_text_entry("x-dead-letter-exchange", "dead"),
                raw_text_entry("x-dead-letter-routing-key", "bench.medium"),
                raw_text_entry("x-dead-letter-strategy", "at-least-once"),
                raw_text_entry("x-overflow", "reject-publish"),
        };
        amqp_table_entry_t stream[] = {
                raw_text_entry("x-queue-type", "stream"),
                raw_text_entry("x-max-age", "7D"),
                raw_int_entry("x-max-length-bytes", (int64_t)10 * 1000 * 1000 * 1000),
        };

        raw_declare_queue(c, QUEUE, quorum, 6);
        raw_declare_queue(c, STREAM, stream, 3);
        for (int i = 0; i < BINDINGS && b->form->bindings[i].queue != NULL; i++) {
                const struct form_binding *of = &b->form->bindings[i];
                raw_declare_exchange(c, of->of.exchange, of->type);
                raw_bind(c, of->queue, &of->of);
        }
        raw_disconnect(c);
}

static void remove_all(const struct bench *b)
{
        amqp_connection_state_t c = raw_connect(&b->login);

        amqp_queue_delete(c, RAW_CHANNEL, amqp_cstring_bytes(QUEUE), 0, 0);
        amqp_queue_delete(c, RAW_CHANNEL, amqp_cstring_bytes(STREAM), 0, 0);
        for (int i = 0; i < BINDINGS && b->form->bindings[i].queue != NULL; i++)
                amqp_exchange_delete(c, RAW_CHANNEL,
                                     amqp_cstring_bytes(b->form->bindings[i].of.exchange), 0);
        raw_disconnect(c);
}

static void *submitter(void *argument)
{
        struct bench *b = argument;

        b->form->submit(b);
        b->published_s = seconds_since(b->started_ns);
        return NULL;
}

static void finish_flush(const struct bench *b, struct raw_link *out, char *lines, size_t *length)
{
        amqp_basic_properties_t properties = {
                ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
                .content_type = amqp_cstring_bytes("application/x-ndjson"),
                .delivery_mode = 2,
        };

        raw_publish(out, &b->form->events, &properties,
                    (amqp_bytes_t){.len = *length, .bytes = lines});
        *length = 0;
}

static size_t finish_write(const struct bench *b, const amqp_envelope_t *e, char *line)
{
        return (size_t)snprintf(line, LINE_MAX_BYTES,
                                "{\"event\":\"completed\",\"id\":\"%.*s\",\"tenant\":\"bench\","
                                "\"run\":1,\"attempt\":1,\"at\":1732250000150,\"ms\":1%s",
                                (int)e->message.properties.message_id.len,
                                (char *)e->message.properties.message_id.bytes,
                                b->form->finish_end);
}

/* Consumes on one connection and publishes finish events on another. Acknowledges a batch once it
 * is confirmed. */
static void *consumer(void *argument)
{
        struct bench *b = argument;
        amqp_connection_state_t in = raw_connect(&b->login);
        struct raw_link out = raw_link_open(&b->login, FINISH_RING);
        static char lines[FINISH_BATCH * LINE_MAX_BYTES];
        size_t length = 0;
        uint64_t last_of[FINISH_RING] = {0}; /* a batch's publish → its last delivery */
        uint64_t acked = 0;                  /* number of batches */

        raw_consume(in, QUEUE, PREFETCH, NULL);
        for (int64_t i = 1; i <= b->jobs; i++) {
                amqp_envelope_t e;

                raw_check(amqp_consume_message(in, &e, NULL, 0), "consuming");
                length += finish_write(b, &e, lines + length);
                if (i % FINISH_BATCH == 0 || i == b->jobs) {
                        finish_flush(b, &out, lines, &length);
                        last_of[out.published % FINISH_RING] = e.delivery_tag;
                        raw_confirms_take(&out, i == b->jobs ? 0 : FINISH_WINDOW);
                        if (out.settled_below > acked + 1) {
                                acked = out.settled_below - 1;
                                amqp_basic_ack(in, RAW_CHANNEL, last_of[acked % FINISH_RING], 1);
                        }
                }
                amqp_destroy_envelope(&e);
                amqp_maybe_release_buffers(in);
        }
        b->consumed_s = seconds_since(b->started_ns);
        raw_disconnect(in);
        raw_link_close(&out);
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

static bool is_pack(const amqp_basic_properties_t *p)
{
        return p->content_type.len == strlen(PACK_CONTENT_TYPE) &&
               memcmp(p->content_type.bytes, PACK_CONTENT_TYPE, p->content_type.len) == 0;
}

static void count_message(const amqp_message_t *m, int64_t *submitted, int64_t *finished)
{
        if (m->properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG)
                (*submitted)++;
        else if (is_pack(&m->properties))
                *submitted += pack_jobs(m->body);
        else
                *finished += lines_in(m->body);
}

static void *reader(void *argument)
{
        struct bench *b = argument;
        amqp_connection_state_t c = raw_connect(&b->login);
        amqp_table_entry_t first = raw_text_entry("x-stream-offset", "first");
        int64_t submitted = 0, finished = 0, unacked = 0;

        raw_consume(c, STREAM, STREAM_PREFETCH, &first);
        while (submitted < b->jobs || finished < b->jobs) {
                amqp_envelope_t e;

                raw_check(amqp_consume_message(c, &e, NULL, 0), "reading the stream");
                count_message(&e.message, &submitted, &finished);
                if (++unacked == STREAM_PREFETCH / 4) {
                        amqp_basic_ack(c, RAW_CHANNEL, e.delivery_tag, 1);
                        unacked = 0;
                }
                amqp_destroy_envelope(&e);
                amqp_maybe_release_buffers(c);
        }
        b->read_s = seconds_since(b->started_ns);
        raw_disconnect(c);
        return NULL;
}

static const struct form *form_named(const char *name)
{
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
                if (strcmp(forms[i].name, name) == 0)
                        return &forms[i];
        }
        return NULL;
}

static int read_arguments(int argc, char **argv, struct bench *b)
{
        static const struct option options[] = {{"ceiling", required_argument, NULL, 'c'},
                                                {"in-flight", required_argument, NULL, 'i'},
                                                {0}};
        int option;

        b->form = &forms[0];
        b->in_flight = IN_FLIGHT_MAX;
        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (option == 'c')
                        b->form = form_named(optarg);
                else if (option == 'i')
                        b->in_flight = strtoll(optarg, NULL, 10);
                else
                        return -1;
        }
        if (b->form == NULL || b->in_flight < 1 || b->in_flight > IN_FLIGHT_MAX ||
            argc - optind != 5)
                return -1;
        argv += optind;
        b->login = (struct raw_login){(int)strtol(argv[0], NULL, 10), argv[1], argv[2]};
        b->jobs = strtoll(argv[3], NULL, 10);
        size_t bytes = strtoul(argv[4], NULL, 10);
        b->payload = calloc(1, bytes + 1);
        memset(b->payload, 'x', bytes);
        if (bytes >= 2)
                b->payload[0] = b->payload[bytes - 1] = '"';
        return 0;
}

static bool runs_jobs(const struct bench *b)
{
        return b->form->events.exchange != NULL;
}

static void measure(struct bench *b)
{
        void *(*const parts[])(void *) = {submitter, consumer, reader};
        int count = runs_jobs(b) ? 3 : 1;
        pthread_t threads[3];

        b->started_ns = now_ns();
        for (int i = 0; i < count; i++)
                pthread_create(&threads[i], NULL, parts[i], b);
        for (int i = 0; i < count; i++)
                pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
        struct bench b = {0};

        if (read_arguments(argc, argv, &b) < 0) {
                fprintf(stderr,
                        "usage: %s PORT LOGIN PASSWORD JOBS PAYLOAD_BYTES "
                        "[--ceiling packs|single|queue] [--in-flight 1 to %d]\n",
                        argv[0], IN_FLIGHT_MAX);
                return 2;
        }
        declare(&b);
        measure(&b);
        double seconds = runs_jobs(&b) ? b.read_s : b.published_s;
        printf("{\"form\":\"%s\",\"jobs\":%" PRId64 ",\"seconds\":%.3f,\"jobs_per_s\":%.0f,"
               "\"published_s\":%.3f,\"consumed_s\":%.3f,\"read_s\":%.3f,\"packs\":%" PRId64 "}\n",
               b.form->name, b.jobs, seconds, (double)b.jobs / seconds, b.published_s, b.consumed_s,
               b.read_s, b.packs);
        remove_all(&b);
        free(b.payload);
        return 0;
}
