/* SPDX-License-Identifier: Apache-2.0
 *
 * outgoing.c: writes publishes. rabbitmq-c sends a small publish by three system calls (measured: a
 * third of what a publish costs us), so on a plain connection its encoders fill a buffer that is
 * sent as one; over TLS, where only the library can write, it publishes itself.
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/amqp/link_parts.h"

enum {
        FRAME_HEAD = 7, /* type, channel, size */
        FRAME_END = 1,
        METHOD_HEAD = 4,   /* class and method */
        HEADER_HEAD = 12,  /* class, weight, body size */
        FLUSH_AT = 262144, /* bytes */
        METHOD_ROOM = 1024,
        ENTRY_ROOM = 16, /* of a header beside its strings */
        WRITE_LIMIT_MS = 5000,
};

static char *put(char *at, const void *data, size_t length)
{
        if (length > 0)
                memcpy(at, data, length);
        return at + length;
}

/* The frame around `size` bytes of payload that stand at frame + FRAME_HEAD. */
static void end_frame(struct buffer *out, uint8_t type, size_t size)
{
        char *frame = out->data + out->length;
        uint16_t channel = htobe16(WORK_CHANNEL);
        uint32_t length = htobe32((uint32_t)size);

        frame[0] = (char)type;
        put(put(frame + 1, &channel, sizeof(channel)), &length, sizeof(length));
        frame[FRAME_HEAD + size] = (char)AMQP_FRAME_END;
        out->length += FRAME_HEAD + size + FRAME_END;
}

static int add_method(struct buffer *out, const struct publish *p)
{
        amqp_basic_publish_t m = {
                .exchange = p->exchange, .routing_key = p->routing_key, .mandatory = p->mandatory};
        uint32_t id = htobe32(AMQP_BASIC_PUBLISH_METHOD);

        buffer_reserve(out, METHOD_ROOM);
        char *at = put(out->data + out->length + FRAME_HEAD, &id, sizeof(id));
        int length = amqp_encode_method(AMQP_BASIC_PUBLISH_METHOD, &m,
                                        (amqp_bytes_t){.len = METHOD_ROOM / 2 + 32, .bytes = at});
        if (length < 0)
                return length;
        end_frame(out, AMQP_FRAME_METHOD, METHOD_HEAD + (size_t)length);
        return AMQP_STATUS_OK;
}

static int add_header(struct buffer *out, struct publish *p)
{
        size_t room = p->cost - p->body.len + METHOD_ROOM +
                      (size_t)p->properties.headers.num_entries * ENTRY_ROOM;
        uint16_t class_and_weight[] = {htobe16(AMQP_BASIC_CLASS), 0};
        uint64_t body_size = htobe64(p->body.len);
        int length = (int)p->raw.len;

        buffer_reserve(out, room + FRAME_HEAD + HEADER_HEAD + FRAME_END);
        char *at = put(out->data + out->length + FRAME_HEAD, class_and_weight,
                       sizeof(class_and_weight));
        at = put(at, &body_size, sizeof(body_size));
        if (p->raw.len > 0)
                put(at, p->raw.bytes, p->raw.len);
        else
                length = amqp_encode_properties(AMQP_BASIC_CLASS, &p->properties,
                                                (amqp_bytes_t){.len = room, .bytes = at});
        if (length < 0)
                return length;
        end_frame(out, AMQP_FRAME_HEADER, HEADER_HEAD + (size_t)length);
        return AMQP_STATUS_OK;
}

static void add_body(struct buffer *out, const struct publish *p, size_t frame_max)
{
        size_t most = frame_max - FRAME_HEAD - FRAME_END;
        const char *from = p->body.bytes;

        for (size_t left = p->body.len; left > 0;) {
                size_t size = left < most ? left : most;
                buffer_reserve(out, FRAME_HEAD + size + FRAME_END);
                put(out->data + out->length + FRAME_HEAD, from, size);
                end_frame(out, AMQP_FRAME_BODY, size);
                from += size;
                left -= size;
        }
}

static int await_room(struct link *l)
{
        struct pollfd fd = {.fd = l->engine.fd, .events = POLLOUT};
        int ready = poll(&fd, 1, WRITE_LIMIT_MS);

        if (ready > 0 || (ready < 0 && errno == EINTR))
                return 0;
        return engine_fail(l, ERR_UNAVAILABLE, "publish: the broker does not read");
}

int outgoing_flush(struct link *l)
{
        struct buffer *out = &l->engine.out;
        int result = 0;

        for (size_t sent = 0; sent < out->length && result == 0;) {
                ssize_t n = send(l->engine.fd, out->data + sent, out->length - sent, MSG_NOSIGNAL);
                if (n >= 0)
                        sent += (size_t)n;
                else if (errno == EAGAIN || errno == EWOULDBLOCK)
                        result = await_room(l);
                else if (errno != EINTR)
                        result = engine_fail(l, ERR_UNAVAILABLE, "publish: %s", strerror(errno));
        }
        if (out->size > FLUSH_AT * 2)
                buffer_fini(out);
        else
                buffer_clear(out);
        return result;
}

static int buffered(struct link *l, struct publish *p)
{
        struct buffer *out = &l->engine.out;
        int status = add_method(out, p);

        if (status == AMQP_STATUS_OK)
                status = add_header(out, p);
        if (status != AMQP_STATUS_OK)
                return engine_fail_status(l, status, "publish");
        add_body(out, p, (size_t)amqp_get_frame_max(l->engine.connection));
        return out->length < FLUSH_AT ? 0 : outgoing_flush(l);
}

/* rabbitmq-c sends what it can encode itself, so a raw list is decoded first. */
static int through_library(struct link *l, const struct publish *p)
{
        amqp_pool_t pool;
        void *decoded = (void *)&p->properties;
        int status = AMQP_STATUS_OK;

        init_amqp_pool(&pool, 4096);
        if (p->raw.len > 0)
                status = amqp_decode_properties(AMQP_BASIC_CLASS, &pool, p->raw, &decoded);
        if (status == AMQP_STATUS_OK)
                status = amqp_basic_publish(l->engine.connection, WORK_CHANNEL, p->exchange,
                                            p->routing_key, p->mandatory, 0, decoded, p->body);
        empty_amqp_pool(&pool);
        return status == AMQP_STATUS_OK ? 0 : engine_fail_status(l, status, "publish");
}

int outgoing_publish(struct link *l, struct publish *p)
{
        return l->addresses[l->engine.address].tls ? through_library(l, p) : buffered(l, p);
}
