/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_client.c: curl connects (CONNECT_ONLY), then passes bytes.
 */
#include "common/http/websocket_client.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/uuid.h"
#include "common/http/curl_setup.h"
#include "common/http/websocket_frames.h"
#include "common/http/websocket_handshake.h"

enum {
        READ_SIZE = 16 * 1024,
        HEAD_MAX = 16 * 1024,
        BODY_MAX = 64 * 1024,   /* of a refusal */
        UNSENT_MAX = 16 * 1024, /* of pongs: a server that does not read must not fill memory */
        SLICE_MS = 250,         /* how long the stop flag may go unseen */
        REASON_AT = 2,          /* in a close frame, after its code */
};
#define CONNECT_TIMEOUT_DEFAULT ((msec)2 * MSEC_SECOND)
#define HANDSHAKE_TIMEOUT_DEFAULT ((msec)10 * MSEC_SECOND)
#define MESSAGE_MAX_DEFAULT ((size_t)4 * 1024 * 1024)
/* A server that is silent for so long is pinged, and given up so long after the ping. */
#define SILENCE_MAX ((msec)5 * MSEC_SECOND)

struct websocket_client {
        CURL *easy;
        int fd; /* curl's */
        struct frame_reader reader;
        struct buffer out; /* not sent yet */
        msec heard_at;     /* last time that the server sent something */
        msec pinged_at;    /* since then; 0: it was not */
        bool closing;      /* a close frame was written: nothing may follow it */
};

/* While the handshake lasts. */
struct opening {
        const struct http_client_config *config;
        msec deadline;
        char key[HANDSHAKE_KEY_LENGTH + 1];
        struct buffer in;
        struct handshake_answer answer;
};

static bool is_stopped(const struct http_client_config *config)
{
        return config->stop != NULL && *config->stop != 0;
}

/* curl calls it about once a second while it connects. Not 0: abort. */
static int on_progress(void *owner, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
        const struct opening *o = owner;

        (void)a, (void)b, (void)c, (void)d;
        return is_stopped(o->config) ? 1 : 0;
}

/* HTTP/1.1 also over TLS, where curl would else offer HTTP/2. */
static int connect_to(struct websocket_client *w, struct opening *o, struct err *e)
{
        const struct http_client_config *config = o->config;
        char detail[CURL_ERROR_SIZE] = "";
        curl_socket_t fd = CURL_SOCKET_BAD;
        msec patience = config->connect_timeout;

        curl_setup(w->easy, patience != 0 ? patience : CONNECT_TIMEOUT_DEFAULT);
        curl_easy_setopt(w->easy, CURLOPT_URL, config->base_url);
        curl_easy_setopt(w->easy, CURLOPT_CONNECT_ONLY, 1L);
        curl_easy_setopt(w->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(w->easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(w->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(w->easy, CURLOPT_XFERINFODATA, o);
        curl_easy_setopt(w->easy, CURLOPT_ERRORBUFFER, detail);
        CURLcode code = curl_easy_perform(w->easy);
        curl_easy_setopt(w->easy, CURLOPT_ERRORBUFFER, NULL);
        curl_easy_setopt(w->easy, CURLOPT_NOPROGRESS, 1L); /* o ends before the handle */
        if (curl_judge(code, detail, e) < 0)
                return -1;
        if (curl_easy_getinfo(w->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd < 0)
                return err_set(e, ERR_UNAVAILABLE, "the connection has ended");
        w->fd = fd;
        return 0;
}

/* The request's key is not left in memory. */
static void wipe(struct buffer *sent)
{
        if (sent->data != NULL)
                explicit_bzero(sent->data, sent->size);
}

/* Sends what it can without waiting. False: the connection has ended. */
static bool flush(struct websocket_client *w)
{
        while (w->out.length > 0) {
                size_t sent = 0;
                CURLcode code = curl_easy_send(w->easy, w->out.data, w->out.length, &sent);
                if (code == CURLE_AGAIN)
                        return true;
                if (code != CURLE_OK)
                        return false;
                buffer_drop(&w->out, sent);
                if (w->out.length == 0)
                        wipe(&w->out);
        }
        return true;
}

enum received { RECEIVED_SOME, RECEIVED_NOTHING, RECEIVED_END };

static enum received receive(struct websocket_client *w, char *data, size_t *got)
{
        CURLcode code = curl_easy_recv(w->easy, data, READ_SIZE, got);

        if (code == CURLE_AGAIN)
                return RECEIVED_NOTHING;
        return code == CURLE_OK && *got > 0 ? RECEIVED_SOME : RECEIVED_END;
}

/* Also ends when a signal comes. Call it only after a receive that got nothing: with TLS, curl may
 * hold bytes that the socket no longer has. */
static void wait_ready(const struct websocket_client *w, msec most)
{
        short events = (short)(POLLIN | (w->out.length > 0 ? POLLOUT : 0));
        struct pollfd polled = {.fd = w->fd, .events = events};

        poll(&polled, 1, (int)(most < 0 ? 0 : most));
}

/* Drops the frame when too much waits already. */
static void write_frame(struct websocket_client *w, enum frame_opcode opcode, struct bytes payload)
{
        unsigned char mask[FRAME_MASK_SIZE];

        if (w->closing || w->out.length > UNSENT_MAX)
                return;
        random_fill(mask, sizeof(mask));
        frame_write_masked(&w->out, opcode, payload, mask);
        w->closing = opcode == FRAME_CLOSE;
}

/* Once, without waiting: the server may not read any more. */
static void send_close(struct websocket_client *w, unsigned code)
{
        char payload[2];

        write_frame(w, FRAME_CLOSE, frame_close_payload(code, payload));
        (void)!flush(w);
}

void websocket_client_destroy(struct websocket_client **w)
{
        struct websocket_client *old = TAKE(*w);

        if (old == NULL)
                return;
        if (old->heard_at != 0)
                send_close(old, CLOSE_NORMAL);
        curl_easy_cleanup(old->easy);
        wipe(&old->out);
        frames_fini(&old->reader);
        buffer_fini(&old->out);
        free(old);
}

/* Receives at least a byte into o->in. */
static int receive_more(struct websocket_client *w, struct opening *o, struct err *e)
{
        char data[READ_SIZE];
        size_t got = 0;

        for (;;) {
                msec left = o->deadline - clock_mono();
                if (is_stopped(o->config))
                        return err_set(e, ERR_UNAVAILABLE, "stopping");
                if (left <= 0)
                        return err_set(e, ERR_TIMEOUT, "no answer in time");
                enum received received = flush(w) ? receive(w, data, &got) : RECEIVED_END;
                if (received == RECEIVED_END)
                        return err_set(e, ERR_UNAVAILABLE,
                                       "the connection ended without an answer");
                if (received == RECEIVED_SOME) {
                        buffer_add(&o->in, data, got);
                        return 0;
                }
                wait_ready(w, left < SLICE_MS ? left : SLICE_MS);
        }
}

static bool is_interim(int status)
{
        return status >= 100 && status < 200 && status != 101;
}

static int receive_head(struct websocket_client *w, struct opening *o, struct err *e)
{
        for (;;) {
                int whole = handshake_read(buffer_bytes(&o->in), &o->answer, e);
                if (whole < 0)
                        return -1;
                if (whole > 0)
                        buffer_drop(&o->in, o->answer.head);
                if (whole > 0 && !is_interim(o->answer.status))
                        return 0;
                if (o->in.length > HEAD_MAX)
                        return err_set(e, ERR_PROTOCOL, "the answer's head exceeds %d bytes",
                                       HEAD_MAX);
                if (whole == 0 && receive_more(w, o, e) < 0)
                        return -1;
        }
}

/* A body that does not come whole is left out: the status says enough. */
static void receive_refusal(struct websocket_client *w, struct opening *o, struct http_reply *reply)
{
        size_t length = o->answer.body_known ? o->answer.body : 0;

        reply->status = o->answer.status;
        reply->retry_after = o->answer.retry_after;
        memcpy(reply->content_type, o->answer.content_type, sizeof(o->answer.content_type));
        if (length == 0 || length > BODY_MAX)
                return;
        while (o->in.length < length && receive_more(w, o, NULL) == 0)
                continue;
        if (o->in.length >= length)
                buffer_add(&reply->body, o->in.data, length);
}

/* "warren.example:8443": the port only when it is not the scheme's. */
static char *copy_authority(CURLU *url)
{
        char *host = NULL, *port = NULL;

        if (curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
                return NULL;
        bool given = curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT) == CURLUE_OK;
        char *authority = given ? xasprintf("%s:%s", host, port) : xstrdup(host);
        curl_free(host);
        curl_free(port);
        return authority;
}

static int write_request(struct websocket_client *w, struct opening *o, const char *path,
                         struct err *e)
{
        unsigned char random[16];
        AUTO_BUFFER key = {0};
        CURLU *url = curl_url();
        AUTO_FREE char *whole = xasprintf("%s%s", o->config->base_url, path);

        assert(url != NULL);
        AUTO_FREE char *authority = curl_url_set(url, CURLUPART_URL, whole, 0) == CURLUE_OK
                                            ? copy_authority(url)
                                            : NULL;
        curl_url_cleanup(url);
        if (authority == NULL)
                return err_set(e, ERR_INVALID, "%s is not a URL", o->config->base_url);
        random_fill(random, sizeof(random));
        buffer_add_base64(&key, bytes_of(random, sizeof(random)));
        memcpy(o->key, key.data, sizeof(o->key));
        const char *target = strchr(strstr(whole, "://") + 3, '/');
        handshake_write(&(struct handshake_request){.authority = authority,
                                                    .path = target,
                                                    .bearer = o->config->bearer,
                                                    .key = o->key},
                        &w->out);
        return 0;
}

static int shake_hands(struct websocket_client *w, struct opening *o, struct http_reply *reply,
                       struct err *e)
{
        if (receive_head(w, o, e) < 0)
                return -1;
        if (o->answer.status != 101) {
                receive_refusal(w, o, reply);
                return 0;
        }
        if (handshake_check(&o->answer, o->key, e) < 0)
                return -1;
        reply->status = 101;
        w->heard_at = clock_mono();
        frames_add(&w->reader, buffer_bytes(&o->in));
        return 0;
}

int websocket_client_open(const struct http_client_config *config, const char *path,
                          struct websocket_client **out, struct http_reply *reply, struct err *e)
{
        size_t message_max = config->answer_max;
        msec timeout = config->timeout != 0 ? config->timeout : HANDSHAKE_TIMEOUT_DEFAULT;
        struct opening o = {.config = config, .deadline = clock_mono() + timeout};
        AUTO(websocket_client) w = xcalloc(1, sizeof(*w));

        *out = NULL;
        w->reader.message_max = message_max != 0 ? message_max : MESSAGE_MAX_DEFAULT;
        w->reader.sender = FRAMES_OF_SERVER;
        w->easy = curl_easy_init();
        if (w->easy == NULL)
                return err_set(e, ERR_SYSTEM, "cannot make a curl handle");
        int result = connect_to(w, &o, e);
        if (result == 0)
                result = write_request(w, &o, path, e);
        if (result == 0)
                result = shake_hands(w, &o, reply, e);
        buffer_fini(&o.in);
        if (result == 0 && reply->status == 101)
                *out = TAKE(w);
        return result;
}

/* The next message or end among what was received. */
static enum websocket_event take_event(struct websocket_client *w, struct bytes *text,
                                       unsigned *code, struct err *e)
{
        for (;;) {
                switch (frames_next(&w->reader, text, code)) {
                case FRAME_NOTHING:
                        return WEBSOCKET_NOTHING;
                case FRAME_IS_TEXT:
                        return WEBSOCKET_TEXT;
                case FRAME_IS_PING:
                        write_frame(w, FRAME_PONG, *text);
                        break;
                case FRAME_IS_PONG:
                        break;
                case FRAME_IS_CLOSE:
                        *text = text->length > REASON_AT
                                        ? bytes_of(text->data + REASON_AT, text->length - REASON_AT)
                                        : (struct bytes){0};
                        send_close(w, *code);
                        return WEBSOCKET_CLOSED;
                case FRAME_IS_WRONG:
                        send_close(w, *code);
                        err_set(e, ERR_PROTOCOL, "the server broke the WebSocket protocol (%u)",
                                *code);
                        return WEBSOCKET_FAILED;
                }
        }
}

/* Call it after a receive that got nothing: whoever could not receive for a while must not take the
 * server for silent. Pings a silent one. How long its silence may go on; 0: it was too long. */
static msec check_silence(struct websocket_client *w, msec now)
{
        if (w->pinged_at == 0 && now - w->heard_at >= SILENCE_MAX) {
                w->pinged_at = now;
                write_frame(w, FRAME_PING, bytes_of("", 0));
        }
        msec left = (w->pinged_at != 0 ? w->pinged_at : w->heard_at) + SILENCE_MAX - now;
        return left > 0 ? left : 0;
}

/* Receives and sends what it can, and waits until `until` when there was nothing. */
static enum websocket_event exchange(struct websocket_client *w, msec until, struct err *e)
{
        char data[READ_SIZE];
        size_t got = 0;
        msec now = clock_mono();
        enum received received = receive(w, data, &got);

        /* A server that takes nothing any more may have said why. */
        if (!flush(w) && received == RECEIVED_NOTHING)
                received = RECEIVED_END;
        if (received == RECEIVED_END) {
                err_set(e, ERR_UNAVAILABLE, "the connection ended");
                return WEBSOCKET_FAILED;
        }
        if (received == RECEIVED_SOME) {
                w->heard_at = now;
                w->pinged_at = 0;
                frames_add(&w->reader, bytes_of(data, got));
                return WEBSOCKET_NOTHING;
        }
        msec patience = check_silence(w, now);
        if (patience == 0) {
                err_set(e, ERR_TIMEOUT, "the server is silent");
                return WEBSOCKET_FAILED;
        }
        wait_ready(w, until - now < patience ? until - now : patience);
        return WEBSOCKET_NOTHING;
}

enum websocket_event websocket_client_next(struct websocket_client *w, msec wait,
                                           struct bytes *text, unsigned *code, struct err *e)
{
        msec until = clock_mono() + wait;

        /* A server that sends nothing but pings must not keep the caller. */
        do {
                enum websocket_event event = take_event(w, text, code, e);
                if (event == WEBSOCKET_NOTHING)
                        event = exchange(w, until, e);
                if (event != WEBSOCKET_NOTHING)
                        return event;
        } while (clock_mono() < until);
        return take_event(w, text, code, e);
}
