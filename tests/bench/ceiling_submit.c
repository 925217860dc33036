/* SPDX-License-Identifier: Apache-2.0
 *
 * ceiling_submit.c: the submitting side of the ceiling.
 *
 * A pack's body: one byte version, then entries:
 *
 *      u8 length, exchange | u8 length, key | u32 length, property list | u32 length, body
 *
 * Lengths are big-endian.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/ceiling.h"

enum {
        TAGS = IN_FLIGHT_MAX * 4,
        PACK_VERSION = 1,
        PACK_JOBS = 64,
        PACK_BYTES = 256 * 1024,
        PROPERTIES_SIZE = 1024,
};

/* Where the gateway publishes: an entry has the names of Warren. */
#define ENTRY_EXCHANGE "work"
#define ENTRY_KEY "bench.medium"

void job_text(const struct bench *b, int64_t number, struct job_text *job)
{
        snprintf(job->id, sizeof(job->id), "01900000-0000-7000-8000-%012llx",
                 (unsigned long long)number & 0xffffffffffff);
        job->headers[0] = raw_int_entry("x-max-retries", 3);
        job->headers[1] = raw_int_entry("x-submitted-at", 1732250000123);
        job->headers[2] = raw_int_entry("x-queued-at", 1732250000123);
        job->headers[3] = raw_text_entry("traceparent",
                                         "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        job->properties = (amqp_basic_properties_t){
                ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                          AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG |
                          AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_USER_ID_FLAG |
                          AMQP_BASIC_HEADERS_FLAG,
                .content_type = amqp_cstring_bytes("application/json"),
                .delivery_mode = 2,
                .message_id = amqp_cstring_bytes(job->id),
                .type = amqp_cstring_bytes("noop"),
                .timestamp = 1732250000,
                .user_id = amqp_cstring_bytes(b->login.name),
                .headers = {.num_entries = 4, .entries = job->headers},
        };
        job->body = amqp_cstring_bytes(b->payload);
}

static void publish_jobs(const struct bench *b, struct raw_link *l, int64_t first, int64_t count)
{
        struct job_text job;

        raw_cork(l, 1);
        for (int64_t i = first; i < first + count; i++) {
                job_text(b, i, &job);
                raw_publish(l, &b->form->jobs, &job.properties, job.body);
        }
        raw_cork(l, 0);
}

/* How many jobs to publish now, when `kept` of those published are kept. */
static int64_t batch_at(const struct bench *b, int64_t published, int64_t kept)
{
        int64_t left = b->jobs - published, room = b->in_flight - (published - kept);
        int64_t count = left < room ? left : room;

        return count < PUBLISH_BATCH ? count : PUBLISH_BATCH;
}

void submit_single(struct bench *b)
{
        struct raw_link l = raw_link_open(&b->login, TAGS);
        int64_t room = b->in_flight < PUBLISH_BATCH ? b->in_flight : PUBLISH_BATCH;

        for (int64_t i = 0, count; i < b->jobs; i += count) {
                count = batch_at(b, i, i - l.open);
                publish_jobs(b, &l, i, count);
                raw_confirms_take(&l, b->in_flight - room);
        }
        raw_confirms_take(&l, 0);
        raw_link_close(&l);
}

struct packer {
        struct bench *b;
        struct raw_link work, events;
        char *pack; /* the open one */
        size_t length;
        int64_t count;         /* jobs in it */
        int64_t jobs_of[TAGS]; /* a pack's tag → its jobs */
        int64_t told;          /* jobs in confirmed packs */
};

static void pack_send(struct packer *p)
{
        const struct bench *b = p->b;
        amqp_basic_properties_t properties = {
                ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                          AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_USER_ID_FLAG,
                .content_type = amqp_cstring_bytes(PACK_CONTENT_TYPE),
                .delivery_mode = 2,
                .timestamp = 1732250000,
                .user_id = amqp_cstring_bytes(b->login.name),
        };

        raw_publish(&p->events, &b->form->events, &properties,
                    (amqp_bytes_t){.len = p->length, .bytes = p->pack});
        p->jobs_of[p->events.published % TAGS] = p->count;
        p->b->packs++;
        p->count = 0;
        p->length = 1;
}

static void put(struct packer *p, const void *bytes, size_t length)
{
        memcpy(p->pack + p->length, bytes, length);
        p->length += length;
}

static void put_short(struct packer *p, const char *text)
{
        unsigned char length = (unsigned char)strlen(text);

        put(p, &length, sizeof(length));
        put(p, text, length);
}

static void put_long(struct packer *p, const void *bytes, size_t length)
{
        uint32_t size = htonl((uint32_t)length);

        put(p, &size, sizeof(size));
        put(p, bytes, length);
}

/* The queue has a job: it goes into the open pack. Tag n is of job n - 1. */
static void on_queued(void *owner, uint64_t tag)
{
        struct packer *p = owner;
        struct job_text job;
        char properties[PROPERTIES_SIZE];
        amqp_bytes_t list = {.len = sizeof(properties), .bytes = properties};

        job_text(p->b, (int64_t)tag - 1, &job);
        int size = amqp_encode_properties(AMQP_BASIC_CLASS, &job.properties, list);
        if (size < 0)
                raw_die("a property list is too large");
        size_t entry =
                strlen(ENTRY_EXCHANGE) + strlen(ENTRY_KEY) + (size_t)size + job.body.len + 10;
        if (p->count > 0 && p->length + entry > PACK_BYTES)
                pack_send(p);
        put_short(p, ENTRY_EXCHANGE);
        put_short(p, ENTRY_KEY);
        put_long(p, properties, (size_t)size);
        put_long(p, job.body.bytes, job.body.len);
        if (++p->count == PACK_JOBS)
                pack_send(p);
}

static void on_told(void *owner, uint64_t tag)
{
        struct packer *p = owner;

        p->told += p->jobs_of[tag % TAGS];
}

static int64_t next_batch(const struct packer *p)
{
        return batch_at(p->b, (int64_t)p->work.published, p->told);
}

/* Every confirm that has arrived was taken before. */
static void wait_for_confirms(const struct packer *p)
{
        struct pollfd sockets[] = {
                {.fd = amqp_get_sockfd(p->work.connection), .events = POLLIN},
                {.fd = amqp_get_sockfd(p->events.connection), .events = POLLIN},
        };

        poll(sockets, 2, -1);
}

static void packer_run(struct packer *p)
{
        while (p->told < p->b->jobs) {
                int64_t count = next_batch(p);
                if (count > 0)
                        publish_jobs(p->b, &p->work, (int64_t)p->work.published, count);
                raw_confirms_take(&p->work, INT64_MAX);
                raw_confirms_take(&p->events, INT64_MAX);
                if (p->count > 0 && p->events.open == 0)
                        pack_send(p);
                else if (p->told < p->b->jobs && next_batch(p) == 0)
                        wait_for_confirms(p);
        }
}

void submit_packs(struct bench *b)
{
        struct packer *p = calloc(1, sizeof(*p));

        p->b = b;
        p->work = raw_link_open(&b->login, TAGS);
        p->events = raw_link_open(&b->login, TAGS);
        p->work.confirmed = on_queued;
        p->events.confirmed = on_told;
        p->work.owner = p->events.owner = p;
        p->pack = malloc(PACK_BYTES + PROPERTIES_SIZE + strlen(b->payload));
        p->pack[0] = PACK_VERSION;
        p->length = 1;
        packer_run(p);
        raw_link_close(&p->work);
        raw_link_close(&p->events);
        free(p->pack);
        free(p);
}

static const char *skip_short(const char *at)
{
        return at + 1 + (unsigned char)*at;
}

static const char *skip_long(const char *at)
{
        uint32_t length;

        memcpy(&length, at, sizeof(length));
        return at + sizeof(length) + ntohl(length);
}

int64_t pack_jobs(amqp_bytes_t pack)
{
        const char *at = pack.bytes, *end = at + pack.len;
        int64_t count = 0;

        for (at++; at < end; at = skip_long(skip_long(skip_short(skip_short(at)))))
                count++;
        return count;
}
