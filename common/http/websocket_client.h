/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_client.h: a blocking WebSocket client (RFC 6455; text messages, no extensions), over a
 * connection of libcurl, so that https works as for the calls of client.h. It sends no messages of
 * its own but answers pings, and pings a server that is silent. One thread at a time.
 */
#pragma once

#include "common/http/client.h"

struct websocket_client;

/* config: answer_max bounds a message (0: 4 MiB), timeout the handshake (0: 10 s); waiting is not
 * called. 0: an answer came. Only a 101 sets *out; reply holds any other one, without a body that
 * has no Content-Length, or more than 64 KiB. -1: ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_PROTOCOL,
 * ERR_INVALID. reply: {0} on entry; call http_reply_fini in either case. */
int websocket_client_open(const struct http_client_config *config, const char *path,
                          struct websocket_client **out, struct http_reply *reply,
                          struct err *e) MUST_CHECK;
/* Says goodbye to a server that takes it, without waiting. */
void websocket_client_destroy(struct websocket_client **w);

enum websocket_event {
        WEBSOCKET_NOTHING, /* no message in time */
        WEBSOCKET_TEXT,    /* a message: UTF-8 */
        WEBSOCKET_CLOSED,  /* the server has closed it: *code, and its reason as text */
        /* e says why: ERR_UNAVAILABLE: the connection ended; ERR_TIMEOUT: the server was silent for
         * 5 s, and for 5 s after a ping; ERR_PROTOCOL */
        WEBSOCKET_FAILED,
};

/* Waits up to `wait`. *text is valid until the next call. After CLOSED and
 * FAILED only websocket_client_destroy may follow. */
enum websocket_event websocket_client_next(struct websocket_client *w, msec wait,
                                           struct bytes *text, unsigned *code, struct err *e);
