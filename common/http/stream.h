/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.h: an answer whose length is not known at its start: exports, server-sent events.
 *
 *      http_stream_begin(r, 200, "text/event-stream");
 *      while (next(&event) && http_stream_write(r, event) == 0)
 *              continue;
 *      http_stream_end(r);
 *
 * Called by the handler, on its thread. A stream holds that thread and the connection's seat until
 * the handler returns: for many listeners over hours use a WebSocket (websocket.h). HTTP/1.1 gets
 * chunks; for HTTP/1.0 the end of the connection is the end of the answer. http_stream_write does
 * not buffer.
 */
#pragma once

#include "common/http/handler.h"

/* Instead of another answer, once; add headers before. -1: as http_stream_write. */
int http_stream_begin(struct http_request *r, int status, const char *content_type) MUST_CHECK;
/* Blocks until the client has taken the piece, at most the answer deadline for each 64 KiB. -1: the
 * client is gone or too slow, or the server stops: the connection was cut, so that the client does
 * not take a part for the whole. For HEAD nothing is sent. */
int http_stream_write(struct http_request *r, struct bytes piece) MUST_CHECK;
/* True: stop writing. Call it about once a second while there is nothing to write. A client that
 * has closed only its sending side counts as gone: a full close looks the same. */
bool http_stream_is_over(const struct http_request *r);
/* Everything was written. Without this call the connection is cut when the handler returns. */
void http_stream_end(struct http_request *r);
