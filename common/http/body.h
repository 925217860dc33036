/* SPDX-License-Identifier: Apache-2.0
 *
 * body.h: reads the body of a route with `streamed` piece by piece, while it arrives.
 *
 *      do {
 *              buffer_clear(&piece);
 *              end = http_body_next(r, &piece);
 *              use(buffer_bytes(&piece));
 *      } while (end == PIECE_MORE);
 *
 * Called by the handler, on its thread. The handler may answer without reading, or before the end:
 * then the rest is dropped, and the connection ends.
 */
#pragma once

#include "common/http/handler.h"

enum body_piece {
        PIECE_MORE,
        PIECE_END,     /* the body is complete */
        PIECE_OVER,    /* it is larger than body_max */
        PIECE_LATE,    /* it did not arrive in time */
        PIECE_BROKEN,  /* the client cut it off, or its chunks are malformed */
        PIECE_STOPPED, /* the server ends: nothing more is read */
};

/* Appends the next bytes, at most 16 KiB, to `out`, whatever it returns; body_max in all. Blocks
 * until 16 KiB or the end have come: at most the body deadline, and six times that for all pieces
 * of a body together. The time between two calls does not count. After anything but PIECE_MORE do
 * not call it again. Of a chunked body that is cut off up to 16 KiB before the cut are lost. */
enum body_piece http_body_next(struct http_request *r, struct buffer *out) MUST_CHECK;
/* Answers with the problem for one of the last four. */
void http_body_refuse(struct http_request *r, enum body_piece end);
/* The same problem's status and text, for an answer that contains it. */
int http_body_problem(const struct http_request *r, enum body_piece end, char *text, size_t size);
