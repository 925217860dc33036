/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_handshake.h: the handshake of a WebSocket (RFC 6455, section 4). Pure.
 *
 *      GET /api/v1/live HTTP/1.1
 *      Host: warren.example
 *      Upgrade: websocket
 *      Connection: Upgrade
 *      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
 *      Sec-WebSocket-Version: 13
 *
 *      HTTP/1.1 101 Switching Protocols
 *      Upgrade: websocket
 *      Connection: Upgrade
 *      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"

enum {
        HANDSHAKE_KEY_LENGTH = 24, /* 16 bytes in base64 */
        HANDSHAKE_ACCEPT_SIZE = 29,
        HANDSHAKE_TYPE_SIZE = 128,
};

/* Whether a header's list has the word, in any case of letters. list: or NULL. */
bool handshake_list_has(const char *list, const char *word);
/* Adds what Sec-WebSocket-Accept must be for the key, which has HANDSHAKE_KEY_LENGTH characters. */
int handshake_accept(const char *key, struct buffer *out, struct err *e) MUST_CHECK;

/* A client's request. No text may have a line break. */
struct handshake_request {
        const char *authority; /* "warren.example:8443" */
        const char *path;      /* with its query, already encoded */
        const char *bearer;    /* or NULL */
        const char *key;
};
/* `out` does not move once the bearer is in it, so that wiping it is enough. */
void handshake_write(const struct handshake_request *request, struct buffer *out);

struct handshake_answer {
        int status;
        size_t head;      /* bytes, with the empty line */
        bool body_known;  /* its length is: there is a Content-Length, and no coding */
        size_t body;      /* its length */
        msec retry_after; /* -1: none */
        char content_type[HANDSHAKE_TYPE_SIZE];
        char accept[HANDSHAKE_ACCEPT_SIZE];
        bool upgrades;   /* its headers Upgrade and Connection say so */
        bool negotiates; /* it chose an extension or a protocol, which no request offers */
};
/* Reads an answer's head. 1: it is whole. 0: more bytes are needed. ERR_PROTOCOL: it is not HTTP.
 */
int handshake_read(struct bytes in, struct handshake_answer *out, struct err *e) MUST_CHECK;
/* ERR_PROTOCOL unless the answer, a 101, accepts the request with this key. */
int handshake_check(const struct handshake_answer *answer, const char *key,
                    struct err *e) MUST_CHECK;
