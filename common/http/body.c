/* SPDX-License-Identifier: Apache-2.0
 *
 * body.c: reads a body in pieces, each within its time.
 */
#include "common/http/body.h"

#include <assert.h>
#include <stdio.h>

#include "common/http/answer.h"

enum { PIECE_SIZE = 16 * 1024, DEADLINES = 6 };

/* How many bytes to ask for. Of a chunked body one more than allowed, to see its end. */
static size_t next_size(const struct http_request *r)
{
        size_t max = r->framing.chunked ? r->match.route->body_max + 1 : (size_t)r->framing.length;
        size_t left = max - r->body_taken;

        return left < PIECE_SIZE ? left : PIECE_SIZE;
}

static enum body_piece read_piece(struct http_request *r, struct buffer *out)
{
        size_t max = r->match.route->body_max, size = next_size(r);

        buffer_reserve(out, size);
        int got = mg_read(r->civetweb, out->data + out->length, size);
        if (got < 0)
                return PIECE_BROKEN;
        if (got == 0)
                return r->framing.chunked ? PIECE_END : PIECE_BROKEN;
        bool over = (size_t)got > max - r->body_taken;
        r->body_taken += (size_t)got - over;
        out->length += (size_t)got - over;
        out->data[out->length] = '\0';
        if (over)
                return PIECE_OVER;
        if (r->framing.chunked)
                return PIECE_MORE;
        if ((size_t)got < size)
                return PIECE_BROKEN;
        return r->body_taken == (size_t)r->framing.length ? PIECE_END : PIECE_MORE;
}

/* For the next piece. */
static msec time_left(const struct http_request *r)
{
        msec limit = r->server->config.body_deadline, left = DEADLINES * limit - r->body_waited;

        return left < limit ? left : limit;
}

static enum body_piece read_in_time(struct http_request *r, struct buffer *out)
{
        struct watch *w = r->server->connections.watch;
        msec limit = time_left(r);
        struct watched entry;

        msec begun = clock_mono();
        watch_begin(w, &entry, connection_descriptor(r->connection), WATCH_BODY, limit);
        enum body_piece end = read_piece(r, out);
        bool expired = watch_end(w, &entry);
        msec waited = clock_mono() - begun;
        r->body_waited += waited;
        /* When the watch has ended the connection's input, a chunked body can look complete. */
        if (!expired && !(end == PIECE_BROKEN && waited >= limit))
                return end;
        return atomic_load(&r->server->closing) ? PIECE_STOPPED : PIECE_LATE;
}

enum body_piece http_body_next(struct http_request *r, struct buffer *out)
{
        assert(r->match.route->streamed);
        if (r->body_read)
                return PIECE_END;
        if (atomic_load(&r->server->closing))
                return PIECE_STOPPED;
        if (time_left(r) <= 0)
                return PIECE_LATE;
        answer_continue(r);
        enum body_piece end = read_in_time(r, out);
        r->body_read = end == PIECE_END;
        r->broken = r->broken || (end != PIECE_MORE && end != PIECE_END && end != PIECE_OVER);
        return end;
}

int http_body_problem(const struct http_request *r, enum body_piece end, char *text, size_t size)
{
        const struct http_route *route = r->match.route;

        switch (end) {
        case PIECE_OVER:
                snprintf(text, size, "the body is larger than %zu bytes%s%s", route->body_max,
                         route->over != NULL ? ": " : "", route->over != NULL ? route->over : "");
                return 413;
        case PIECE_LATE:
                snprintf(text, size, "the body did not arrive in time");
                return 408;
        case PIECE_BROKEN:
                snprintf(text, size, "%s",
                         r->framing.chunked ? "the chunked body is malformed, or has chunk "
                                              "extensions, which are not understood"
                                            : "the body ended early");
                return 400;
        case PIECE_STOPPED:
                snprintf(text, size, "this server is stopping");
                return 503;
        case PIECE_MORE:
        case PIECE_END:
                break;
        }
        assert(!"the body was refused");
        return 500;
}

void http_body_refuse(struct http_request *r, enum body_piece end)
{
        char text[128];
        int status = http_body_problem(r, end, text, sizeof(text));

        http_problem(r, status, "%s", text);
}
