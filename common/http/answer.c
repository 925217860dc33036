/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.c: writes head and body of an answer in one call.
 */
#include "common/http/answer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/memory.h"

const char *http_phrase(int status)
{
        static const struct {
                int status;
                const char *phrase;
        } phrases[] = {
                {101, "Switching Protocols"},
                {200, "OK"},
                {201, "Created"},
                {202, "Accepted"},
                {204, "No Content"},
                {304, "Not Modified"},
                {400, "Bad Request"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {408, "Request Timeout"},
                {409, "Conflict"},
                {411, "Length Required"},
                {413, "Content Too Large"},
                {414, "URI Too Long"},
                {415, "Unsupported Media Type"},
                {417, "Expectation Failed"},
                {422, "Unprocessable Content"},
                {426, "Upgrade Required"},
                {429, "Too Many Requests"},
                {431, "Request Header Fields Too Large"},
                {500, "Internal Server Error"},
                {501, "Not Implemented"},
                {502, "Bad Gateway"},
                {503, "Service Unavailable"},
                {504, "Gateway Timeout"},
                {505, "HTTP Version Not Supported"},
        };

        for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
                if (phrases[i].status == status)
                        return phrases[i].phrase;
        }
        return "Unknown";
}

static void add_line(struct buffer *out, const char *name, const char *value)
{
        buffer_add_text(out, name);
        buffer_add_text(out, ": ");
        buffer_add_text(out, value);
        buffer_add_text(out, "\r\n");
}

void http_add_header(struct http_request *r, const char *name, const char *format, ...)
{
        va_list arguments;
        char value[1024];

        va_start(arguments, format);
        vsnprintf(value, sizeof(value), format, arguments);
        va_end(arguments);
        /* A line break would let a value add headers. */
        for (char *c = value; *c != '\0'; c++) {
                if ((unsigned char)*c < 0x20 || *c == 0x7f)
                        *c = ' ';
        }
        add_line(&r->headers, name, value);
}

bool answer_has_header(const struct http_request *r, const char *name)
{
        return r->headers.data != NULL && strstr(r->headers.data, name) != NULL;
}

/* For instance an unread body, which would be read as the next request. */
bool answer_ends_connection(const struct http_request *r)
{
        return r->broken || r->last || !r->framing.keep_alive || !r->body_read ||
               atomic_load(&r->server->closing) || connection_must_yield(r->connection);
}

void answer_count(struct http_request *r)
{
        const struct http_server_config *c = &r->server->config;

        if (!r->counted && c->answered != NULL)
                c->answered(c->owner, r->match.route, r->status, clock_mono_us() - r->began_us);
        r->counted = true;
}

void answer_send(struct http_request *r, struct bytes text)
{
        msec limit = r->server->config.answer_deadline;

        connection_note_answer(r->connection);
        if (connection_write(r->connection, r->civetweb, text, limit) < 0)
                r->broken = true;
}

void answer_continue(struct http_request *r)
{
        static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

        if (!r->awaits_continue)
                return;
        r->awaits_continue = false;
        answer_send(r, bytes_of(line, sizeof(line) - 1));
}

/* Without printf, which would be a third of an answer's cost. */
static void add_number(struct buffer *out, size_t number)
{
        char digits[24];
        size_t at = sizeof(digits);

        do {
                digits[--at] = (char)('0' + number % 10);
                number /= 10;
        } while (number > 0);
        buffer_add(out, digits + at, sizeof(digits) - at);
}

static void add_date(struct buffer *out)
{
        /* Formatted once a second. */
        static _Thread_local time_t at;
        static _Thread_local char date[48];
        time_t now = (time_t)(clock_wall() / MSEC_SECOND);

        if (now != at) {
                struct tm utc = {0};
                gmtime_r(&now, &utc);
                strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
                at = now;
        }
        buffer_add_text(out, date);
}

static void add_head(struct buffer *out, const struct http_request *r, const struct answer_text *a)
{
        buffer_add_text(out, "HTTP/1.1 ");
        add_number(out, (size_t)a->status);
        buffer_add_char(out, ' ');
        buffer_add_text(out, http_phrase(a->status));
        buffer_add_text(out, "\r\n");
        add_date(out);
        if (a->content_type != NULL)
                add_line(out, "Content-Type", a->content_type);
        add_line(out, "traceparent", r->traceparent);
        buffer_add_text(out, "X-Content-Type-Options: nosniff\r\n");
        add_line(out, "Cache-Control", a->cache_control != NULL ? a->cache_control : "no-store");
        if (r->server->config.security_headers != NULL)
                buffer_add_text(out, r->server->config.security_headers);
}

static void add_length(struct buffer *out, const struct answer_text *a)
{
        if (a->length == ANSWER_CHUNKED) {
                buffer_add_text(out, "Transfer-Encoding: chunked\r\n");
        } else if (a->length == ANSWER_SIZED && a->status >= 200 && a->status != 204 &&
                   a->status != 304) {
                buffer_add_text(out, "Content-Length: ");
                add_number(out, a->body.length);
                buffer_add_text(out, "\r\n");
        }
}

size_t answer_write(struct http_request *r, const struct answer_text *a, struct buffer *out)
{
        const struct http_server_config *c = &r->server->config;

        if (c->decorate != NULL && !r->decorated)
                c->decorate(c->owner, r);
        r->decorated = true;
        buffer_reserve(out, 512 + r->headers.length + a->body.length);
        add_head(out, r, a);
        add_length(out, a);
        if (a->location != NULL)
                add_line(out, "Location", a->location);
        buffer_add(out, r->headers.data, r->headers.length);
        if (a->closing)
                buffer_add_text(out, "Connection: close\r\n");
        size_t head = out->length;
        buffer_add_text(out, "\r\n");
        if (strcmp(r->method, "HEAD") != 0)
                buffer_add(out, a->body.data, a->body.length);
        return head;
}

void answer_give(struct http_request *r, const struct answer_text *a)
{
        AUTO_BUFFER out = {0};
        struct answer_text text = *a;

        assert(r->status == 0);
        r->status = a->status;
        r->closing = text.closing = answer_ends_connection(r) || a->length == ANSWER_TO_THE_END;
        answer_write(r, &text, &out);
        if (r->closing)
                mg_disable_connection_keep_alive(r->civetweb);
        answer_send(r, buffer_bytes(&out));
}

void http_answer(struct http_request *r, int status, const char *content_type, struct bytes body)
{
        answer_give(r, &(struct answer_text){
                               .status = status, .content_type = content_type, .body = body});
}

void http_answer_json(struct http_request *r, int status, json_t *body)
{
        char *text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);

        json_decref(body);
        assert(text != NULL);
        http_answer(r, status, "application/json", bytes_of_text(text));
        free(text);
}

void http_answer_empty(struct http_request *r, int status)
{
        http_answer(r, status, NULL, bytes_of("", 0));
}
