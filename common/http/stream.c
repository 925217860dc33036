/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.c: writes an answer in chunks.
 */
#include "common/http/stream.h"

#include <assert.h>
#include <string.h>

#include "common/http/answer.h"

enum { PIECE_MAX = 65536 };

static bool is_chunked(const struct http_request *r)
{
        return strcmp(r->info->http_version, "1.1") == 0;
}

/* Sends the whole text, or cuts the connection. */
static int send_whole(struct http_request *r, struct bytes text)
{
        if (atomic_load(&r->server->closing) && !r->broken) {
                r->broken = true;
                connection_cut(r->connection, r->civetweb);
        }
        if (!r->broken)
                answer_send(r, text);
        return r->broken ? -1 : 0;
}

int http_stream_begin(struct http_request *r, int status, const char *content_type)
{
        r->stream = STREAM_OPEN;
        answer_give(r, &(struct answer_text){
                               .status = status,
                               .content_type = content_type,
                               .length = is_chunked(r) ? ANSWER_CHUNKED : ANSWER_TO_THE_END,
                       });
        return r->broken ? -1 : 0;
}

static int send_piece(struct http_request *r, struct bytes piece)
{
        AUTO_BUFFER out = {0};

        if (!is_chunked(r))
                return send_whole(r, piece);
        buffer_reserve(&out, piece.length + 32);
        buffer_printf(&out, "%zx\r\n", piece.length);
        buffer_add(&out, piece.data, piece.length);
        buffer_add_text(&out, "\r\n");
        return send_whole(r, buffer_bytes(&out));
}

int http_stream_write(struct http_request *r, struct bytes piece)
{
        assert(r->stream == STREAM_OPEN);
        if (strcmp(r->method, "HEAD") == 0)
                return r->broken ? -1 : 0;
        while (piece.length > 0) {
                size_t size = piece.length < PIECE_MAX ? piece.length : PIECE_MAX;
                if (send_piece(r, bytes_of(piece.data, size)) < 0)
                        return -1;
                piece = bytes_of(piece.data + size, piece.length - size);
        }
        return 0;
}

bool http_stream_is_over(const struct http_request *r)
{
        return r->broken || atomic_load(&r->server->closing) || connection_is_gone(r->connection);
}

void http_stream_end(struct http_request *r)
{
        assert(r->stream == STREAM_OPEN);
        if (r->broken)
                return;
        if (is_chunked(r) && strcmp(r->method, "HEAD") != 0)
                answer_send(r, bytes_of_text("0\r\n\r\n"));
        r->stream = STREAM_ENDED;
}
