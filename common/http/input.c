/* SPDX-License-Identifier: Apache-2.0
 *
 * input.c: reads a body within its limits, and refuses input that a route does not accept.
 */
#include "common/http/input.h"

#include <string.h>
#include <strings.h>

#include "common/base/json_text.h"
#include "common/http/answer.h"
#include "common/http/body.h"

enum { READ_STEP = 16 * 1024, DRAIN_MAX = 32 * 1024 * 1024 };

static bool is_among(const char *name, const char *const *allowed)
{
        for (; *allowed != NULL; allowed++) {
                if (strcmp(name, *allowed) == 0)
                        return true;
        }
        return false;
}

bool http_query_only(struct http_request *r, const char *const *allowed)
{
        for (size_t i = 0; i < r->query.count; i++) {
                if (is_among(r->query.pairs[i].name, allowed))
                        continue;
                http_problem(r, 400, "the query parameter \"%s\" is not known here",
                             r->query.pairs[i].name);
                return false;
        }
        return true;
}

bool http_body_is_json(struct http_request *r)
{
        const char *type = http_header(r, "Content-Type");

        if (type != NULL && json_is_media_type(bytes_of_text(type)))
                return true;
        http_problem(r, 415, "Content-Type must be application/json");
        return false;
}

static enum body_piece read_bytes(struct http_request *r, size_t max)
{
        bool chunked = r->framing.chunked;
        size_t want = chunked ? max + 1 : (size_t)r->framing.length;

        while (r->body.length < want) {
                size_t step = chunked ? READ_STEP : want - r->body.length;
                buffer_reserve(&r->body, step);
                int got = mg_read(r->civetweb, r->body.data + r->body.length, step);
                if (got == 0 && chunked)
                        return PIECE_END;
                if (got <= 0)
                        return PIECE_BROKEN;
                r->body.length += (size_t)got;
        }
        return chunked ? PIECE_OVER : PIECE_END;
}

static enum body_piece read_body(struct http_request *r, size_t max)
{
        struct watch *w = r->server->connections.watch;
        msec limit = r->server->config.body_deadline;
        struct watched entry;

        msec begun = clock_mono();
        watch_begin(w, &entry, connection_descriptor(r->connection), WATCH_BODY, limit);
        enum body_piece end = read_bytes(r, max);
        bool late = watch_end(w, &entry) || clock_mono() - begun >= limit;
        if (r->body.data != NULL)
                r->body.data[r->body.length] = '\0';
        /* When the watch has ended the connection's input, a chunked body can look complete. */
        if (entry.expired || (late && end == PIECE_BROKEN))
                return PIECE_LATE;
        return end;
}

bool input_accept_body(struct http_request *r, size_t body_max)
{
        if (body_max == 0) {
                http_problem(r, 400, "this request must not have a body");
                return false;
        }
        const char *coding = http_header(r, "Content-Encoding");
        if (coding != NULL && strcasecmp(coding, "identity") != 0) {
                http_problem(r, 415, "Content-Encoding %s is not understood", coding);
                return false;
        }
        if (!r->framing.chunked && (size_t)r->framing.length > body_max) {
                http_body_refuse(r, PIECE_OVER);
                return false;
        }
        return true;
}

bool input_read_body(struct http_request *r, size_t body_max)
{
        answer_continue(r);
        enum body_piece end = read_body(r, body_max);
        r->broken = r->broken || end == PIECE_LATE || end == PIECE_BROKEN;
        r->body_read = end == PIECE_END;
        if (end != PIECE_END)
                http_body_refuse(r, end);
        return r->body_read;
}

void http_hurry(struct http_request *r)
{
        r->hurried = true;
}

/* A close with an unread body would reset the connection, and the answer could be lost. */
void input_drain_body(struct http_request *r, msec limit)
{
        struct watch *w = r->server->connections.watch;
        struct watched entry;
        size_t drained = 0;

        if (r->body_read || r->broken || r->awaits_continue)
                return;
        buffer_reserve(&r->body, READ_STEP);
        watch_begin(w, &entry, connection_descriptor(r->connection), WATCH_BODY, limit);
        while (drained < DRAIN_MAX) {
                int got = mg_read(r->civetweb, r->body.data, READ_STEP);
                if (got <= 0)
                        break;
                drained += (size_t)got;
        }
        watch_end(w, &entry);
}
