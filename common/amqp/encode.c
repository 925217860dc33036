/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.c: AMQP 0-9-1 frames: type (1 byte), channel (2), size of the payload (4), the payload,
 * an end mark (1).
 */
#include "common/amqp/encode.h"

#include <endian.h>
#include <string.h>

enum {
        FRAME_HEAD = 7, /* type, channel, size */
        FRAME_END = FRAME_OVERHEAD - FRAME_HEAD,
        METHOD_HEAD = 4,  /* class and method */
        HEADER_HEAD = 12, /* class, weight, body size */
        METHOD_ROOM = 1024,
        ENTRY_ROOM = 16, /* of a header beside its strings */
};

static char *put(char *at, const void *data, size_t length)
{
        if (length > 0)
                memcpy(at, data, length);
        return at + length;
}

/* Completes the frame around `size` payload bytes that are at frame + FRAME_HEAD. */
static void end_frame(struct buffer *out, uint16_t on, uint8_t type, size_t size)
{
        char *frame = out->data + out->length;
        uint16_t channel = htobe16(on);
        uint32_t length = htobe32((uint32_t)size);

        frame[0] = (char)type;
        put(put(frame + 1, &channel, sizeof(channel)), &length, sizeof(length));
        frame[FRAME_HEAD + size] = (char)AMQP_FRAME_END;
        out->length += FRAME_HEAD + size + FRAME_END;
}

static int add_method(struct buffer *out, const struct outgoing *o, uint16_t on)
{
        amqp_basic_publish_t m = {
                .exchange = o->exchange, .routing_key = o->routing_key, .mandatory = o->mandatory};
        uint32_t id = htobe32(AMQP_BASIC_PUBLISH_METHOD);

        buffer_reserve(out, METHOD_ROOM);
        char *at = put(out->data + out->length + FRAME_HEAD, &id, sizeof(id));
        int length = amqp_encode_method(AMQP_BASIC_PUBLISH_METHOD, &m,
                                        (amqp_bytes_t){.len = METHOD_ROOM / 2 + 32, .bytes = at});
        if (length < 0)
                return length;
        end_frame(out, on, AMQP_FRAME_METHOD, METHOD_HEAD + (size_t)length);
        return AMQP_STATUS_OK;
}

/* Enough for the property list. */
static size_t properties_room(const struct outgoing *o)
{
        return o->cost - o->body.len + METHOD_ROOM +
               (size_t)o->properties.headers.num_entries * ENTRY_ROOM;
}

/* Writes the property list at `at`; its length, or a negative status. */
static int put_properties(char *at, size_t room, const struct outgoing *o)
{
        if (o->raw.len == 0)
                return amqp_encode_properties(AMQP_BASIC_CLASS, (void *)&o->properties,
                                              (amqp_bytes_t){.len = room, .bytes = at});
        put(at, o->raw.bytes, o->raw.len);
        return (int)o->raw.len;
}

static int add_header(struct buffer *out, const struct outgoing *o, uint16_t on)
{
        size_t room = properties_room(o);
        uint16_t class_and_weight[] = {htobe16(AMQP_BASIC_CLASS), 0};
        uint64_t body_size = htobe64(o->body.len);

        buffer_reserve(out, room + FRAME_HEAD + HEADER_HEAD + FRAME_END);
        char *at = put(out->data + out->length + FRAME_HEAD, class_and_weight,
                       sizeof(class_and_weight));
        at = put(at, &body_size, sizeof(body_size));
        int length = put_properties(at, room, o);
        if (length < 0)
                return length;
        end_frame(out, on, AMQP_FRAME_HEADER, HEADER_HEAD + (size_t)length);
        return AMQP_STATUS_OK;
}

static void add_body(struct buffer *out, const struct outgoing *o, uint16_t on, size_t frame_max)
{
        size_t most = frame_max - FRAME_OVERHEAD;
        const char *from = o->body.bytes;

        for (size_t left = o->body.len; left > 0;) {
                size_t size = left < most ? left : most;
                buffer_reserve(out, FRAME_HEAD + size + FRAME_END);
                put(out->data + out->length + FRAME_HEAD, from, size);
                end_frame(out, on, AMQP_FRAME_BODY, size);
                from += size;
                left -= size;
        }
}

int encode_properties(struct buffer *out, const struct outgoing *o, struct err *e)
{
        size_t room = properties_room(o);

        buffer_reserve(out, room);
        int length = put_properties(out->data + out->length, room, o);
        if (length < 0)
                return wire_fail(length, "properties", e);
        out->length += (size_t)length;
        return 0;
}

int encode_publish(struct buffer *out, const struct outgoing *o, uint16_t channel, size_t frame_max,
                   struct err *e)
{
        int status = add_method(out, o, channel);

        if (status == AMQP_STATUS_OK)
                status = add_header(out, o, channel);
        if (status != AMQP_STATUS_OK)
                return wire_fail(status, "publish", e);
        add_body(out, o, channel, frame_max);
        return 0;
}
