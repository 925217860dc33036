/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_frames.c: reads and writes frames.
 */
#include "common/http/websocket_frames.h"

#include <stdint.h>

enum { HEAD_LEAST = 2, FINAL = 0x80, RESERVED = 0x70, MASKED = 0x80 };

struct frame {
        enum frame_opcode opcode;
        bool final, masked;
        uint64_t length;
        size_t extra; /* bytes of the length after the first two bytes */
        size_t head;  /* bytes before the payload */
};

void frames_fini(struct frame_reader *r)
{
        buffer_fini(&r->in);
        buffer_fini(&r->message);
        buffer_fini(&r->control);
}

void frames_add(struct frame_reader *r, struct bytes received)
{
        buffer_drop(&r->in, r->used);
        r->used = 0;
        buffer_add(&r->in, received.data, received.length);
}

static uint64_t big_endian(const unsigned char *at, size_t size)
{
        uint64_t value = 0;

        for (size_t i = 0; i < size; i++)
                value = value << 8 | at[i];
        return value;
}

/* What the first two bytes of a head say. */
static struct frame read_start(const unsigned char *at)
{
        unsigned length = at[1] & 0x7f;
        bool masked = (at[1] & MASKED) != 0;
        size_t extra = length == 127 ? 8 : length == 126 ? 2 : 0;

        return (struct frame){
                .opcode = (enum frame_opcode)(at[0] & 0x0f),
                .final = (at[0] & FINAL) != 0,
                .masked = masked,
                .length = length,
                .extra = extra,
                .head = HEAD_LEAST + extra + (masked ? FRAME_MASK_SIZE : 0),
        };
}

static bool is_control(const struct frame *f)
{
        return (f->opcode & 0x8) != 0;
}

/* Checks a frame's first two bytes. Returns the code to close with; 0: none. */
static unsigned judge_start(const struct frame_reader *r, const struct frame *f,
                            const unsigned char *at)
{
        if ((at[0] & RESERVED) != 0 || f->masked != (r->sender == FRAMES_OF_CLIENT))
                return CLOSE_PROTOCOL_ERROR;
        switch (f->opcode) {
        case FRAME_CONTINUATION:
                return r->in_message ? 0 : CLOSE_PROTOCOL_ERROR;
        case FRAME_TEXT:
                return r->in_message ? CLOSE_PROTOCOL_ERROR : 0;
        case FRAME_BINARY:
                return r->in_message ? CLOSE_PROTOCOL_ERROR : CLOSE_UNSUPPORTED;
        case FRAME_CLOSE:
        case FRAME_PING:
        case FRAME_PONG:
                return f->final && f->length <= FRAME_CONTROL_MAX ? 0 : CLOSE_PROTOCOL_ERROR;
        }
        return CLOSE_PROTOCOL_ERROR;
}

/* Masks a payload, or takes its mask off. */
static void apply_mask(char *payload, size_t length, const unsigned char *mask)
{
        for (size_t i = 0; i < length; i++)
                payload[i] = (char)((unsigned char)payload[i] ^ mask[i % FRAME_MASK_SIZE]);
}

static void add_unmasked(struct buffer *out, const struct frame *f, const char *at)
{
        size_t begin = out->length;

        buffer_add(out, at + f->head, (size_t)f->length);
        if (f->masked)
                apply_mask(out->data + begin, (size_t)f->length,
                           (const unsigned char *)at + f->head - FRAME_MASK_SIZE);
}

static bool is_close_code(unsigned code)
{
        return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
               (code >= 3000 && code <= 4999);
}

static enum frame_event read_close(struct bytes payload, unsigned *code)
{
        *code = CLOSE_NONE;
        if (payload.length == 0)
                return FRAME_IS_CLOSE;
        if (payload.length >= 2)
                *code = (unsigned)big_endian((const unsigned char *)payload.data, 2);
        if (!is_close_code(*code)) {
                *code = CLOSE_PROTOCOL_ERROR;
                return FRAME_IS_WRONG;
        }
        if (bytes_are_utf8(bytes_of(payload.data + 2, payload.length - 2)))
                return FRAME_IS_CLOSE;
        *code = CLOSE_NOT_UTF8;
        return FRAME_IS_WRONG;
}

static enum frame_event read_control(struct frame_reader *r, const struct frame *f, const char *at,
                                     struct bytes *payload, unsigned *code)
{
        buffer_clear(&r->control);
        add_unmasked(&r->control, f, at);
        *payload = buffer_bytes(&r->control);
        if (f->opcode == FRAME_CLOSE)
                return read_close(*payload, code);
        return f->opcode == FRAME_PING ? FRAME_IS_PING : FRAME_IS_PONG;
}

/* FRAME_NOTHING: more fragments follow. */
static enum frame_event read_data(struct frame_reader *r, const struct frame *f, const char *at,
                                  struct bytes *payload, unsigned *code)
{
        if (!r->in_message)
                buffer_clear(&r->message);
        r->in_message = !f->final;
        add_unmasked(&r->message, f, at);
        if (r->in_message)
                return FRAME_NOTHING;
        *payload = buffer_bytes(&r->message);
        if (bytes_are_utf8(*payload))
                return FRAME_IS_TEXT;
        *code = CLOSE_NOT_UTF8;
        return FRAME_IS_WRONG;
}

enum frame_event frames_next(struct frame_reader *r, struct bytes *payload, unsigned *code)
{
        for (;;) {
                struct bytes in = bytes_of(r->in.data + r->used, r->in.length - r->used);
                const unsigned char *at = (const unsigned char *)in.data;

                if (in.length < HEAD_LEAST)
                        return FRAME_NOTHING;
                struct frame f = read_start(at);
                *code = judge_start(r, &f, at);
                if (*code != 0)
                        return FRAME_IS_WRONG;
                if (in.length < f.head)
                        return FRAME_NOTHING;
                /* A length in more bytes than needed is accepted. */
                if (f.length > FRAME_CONTROL_MAX)
                        f.length = big_endian(at + HEAD_LEAST, f.extra);
                size_t held = is_control(&f) || !r->in_message ? 0 : r->message.length;
                if (!is_control(&f) && f.length > r->message_max - held) {
                        *code = CLOSE_TOO_BIG;
                        return FRAME_IS_WRONG;
                }
                if (in.length - f.head < f.length)
                        return FRAME_NOTHING;
                r->used += f.head + (size_t)f.length;
                if (is_control(&f))
                        return read_control(r, &f, in.data, payload, code);
                enum frame_event event = read_data(r, &f, in.data, payload, code);
                if (event != FRAME_NOTHING)
                        return event;
        }
}

static void write_head(struct buffer *out, enum frame_opcode opcode, size_t length, int masked)
{
        size_t extra = length <= FRAME_CONTROL_MAX ? 0 : length <= UINT16_MAX ? 2 : 8;
        size_t first = extra == 0 ? length : extra == 2 ? 126 : 127;

        buffer_reserve(out, HEAD_LEAST + extra + FRAME_MASK_SIZE + length);
        buffer_add_char(out, (char)(FINAL | (int)opcode));
        buffer_add_char(out, (char)(masked | (int)first));
        for (size_t i = extra; i > 0; i--)
                buffer_add_char(out, (char)(length >> 8 * (i - 1) & 0xff));
}

void frame_write(struct buffer *out, enum frame_opcode opcode, struct bytes payload)
{
        write_head(out, opcode, payload.length, 0);
        buffer_add(out, payload.data, payload.length);
}

struct bytes frame_close_payload(unsigned code, char out[2])
{
        out[0] = (char)(code >> 8);
        out[1] = (char)(code & 0xff);
        return bytes_of(out, code == CLOSE_NONE ? 0 : 2);
}

size_t frame_length(const char *frame)
{
        const unsigned char *at = (const unsigned char *)frame;
        size_t extra = at[1] == 127 ? 8 : at[1] == 126 ? 2 : 0;

        return HEAD_LEAST + extra +
               (size_t)(extra == 0 ? at[1] : big_endian(at + HEAD_LEAST, extra));
}

void frame_write_close(struct buffer *out, unsigned code)
{
        char bytes[2];

        frame_write(out, FRAME_CLOSE, frame_close_payload(code, bytes));
}

void frame_write_masked(struct buffer *out, enum frame_opcode opcode, struct bytes payload,
                        const unsigned char mask[FRAME_MASK_SIZE])
{
        write_head(out, opcode, payload.length, MASKED);
        buffer_add(out, mask, FRAME_MASK_SIZE);
        size_t begin = out->length;
        buffer_add(out, payload.data, payload.length);
        apply_mask(out->data + begin, payload.length, mask);
}
