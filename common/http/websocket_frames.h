/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_frames.h: WebSocket frames (RFC 6455). A client masks what it sends, a server does not.
 * No extensions, no binary messages. Pure.
 *
 *       0 1 2 3 4 5 6 7   0   1 … 7
 *      ┌─┬─────┬───────┬─┬───────────┬───────────────────────┬─────────┬─────────┐
 *      │F│0 0 0│opcode │M│ length    │ length, 16 or 64 bit, │ mask    │ payload │
 *      │ │     │       │ │           │ if it is 126 or 127   │ 4 bytes │         │
 *      └─┴─────┴───────┴─┴───────────┴───────────────────────┴─────────┴─────────┘
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"

enum {
        FRAME_CONTROL_MAX = 125, /* bytes of a ping, pong or close */
        FRAME_MASK_SIZE = 4,
};

enum frame_opcode {
        FRAME_CONTINUATION = 0x0,
        FRAME_TEXT = 0x1,
        FRAME_BINARY = 0x2,
        FRAME_CLOSE = 0x8,
        FRAME_PING = 0x9,
        FRAME_PONG = 0xA,
};

enum close_code {
        CLOSE_NORMAL = 1000,
        CLOSE_GOING_AWAY = 1001,
        CLOSE_PROTOCOL_ERROR = 1002,
        CLOSE_UNSUPPORTED = 1003, /* a binary message */
        CLOSE_NONE = 1005,        /* a close frame without a code; never sent */
        CLOSE_NOT_UTF8 = 1007,
        CLOSE_POLICY = 1008, /* it answers no ping, or takes nothing */
        CLOSE_TOO_BIG = 1009,
};

enum frame_sender {
        FRAMES_OF_CLIENT, /* must be masked */
        FRAMES_OF_SERVER, /* must not be */
};

/* Joins received frames into messages. Starts as {0} but for its first two members; ends with
 * frames_fini. Holds at most a message, a frame that fits it, and what frames_add got last. */
struct frame_reader {
        size_t message_max; /* bytes */
        enum frame_sender sender;
        struct buffer in;
        size_t used;           /* bytes of `in` that were parsed */
        struct buffer message; /* the fragments so far */
        struct buffer control; /* payload of a control frame */
        bool in_message;
};

enum frame_event {
        FRAME_NOTHING, /* more bytes are needed */
        FRAME_IS_TEXT, /* a whole message, UTF-8 */
        FRAME_IS_PING,
        FRAME_IS_PONG,
        FRAME_IS_CLOSE,
        FRAME_IS_WRONG, /* close the connection with *code and read no more */
};

void frames_fini(struct frame_reader *r);
void frames_add(struct frame_reader *r, struct bytes received);
/* The next event. *payload: valid until the next call. *code: for CLOSE the peer's or CLOSE_NONE,
 * for WRONG the one to close with. */
enum frame_event frames_next(struct frame_reader *r, struct bytes *payload, unsigned *code);

/* Appends a whole frame of a server. */
void frame_write(struct buffer *out, enum frame_opcode opcode, struct bytes payload);
/* Of a frame that was written by these. */
size_t frame_length(const char *frame);
void frame_write_close(struct buffer *out, unsigned code);
/* Appends a whole frame of a client. The mask must be random, and new for each frame. */
void frame_write_masked(struct buffer *out, enum frame_opcode opcode, struct bytes payload,
                        const unsigned char mask[FRAME_MASK_SIZE]);
/* The payload of a close frame; nothing for CLOSE_NONE. */
struct bytes frame_close_payload(unsigned code, char out[2]);
