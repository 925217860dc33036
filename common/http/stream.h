/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.h: an answer whose length is not known when it begins: exports, server-sent events.
 *
 *      http_stream_begin(r, 200, "text/event-stream");
 *      while (next(&event) && http_stream_write(r, event) == 0)
 *              continue;
 *      http_stream_end(r);
 *
 * By the handler, on its thread: a stream holds that thread and the connection's seat until the
 * handler returns, so what has many listeners for hours is a WebSocket (websocket.h). HTTP/1.1 gets
 * it chunked, HTTP/1.0 up to the end of the connection. Nothing is kept: a piece has been handed to
 * the system when http_stream_write returns.
 */
#ifndef WARREN_HTTP_STREAM_H
#define WARREN_HTTP_STREAM_H

#include "common/http/handler.h"

/* Instead of another answer, once. Headers were added before. -1: as http_stream_write. */
int http_stream_begin(struct http_request *r, int status, const char *content_type) MUST_CHECK;
/* Blocks until the client has taken it, the server's answer deadline at most for each 64 KiB. -1:
 * the client is gone or too slow, or the server stops; the connection has been cut, so that nobody
 * takes what was sent for all, and nothing more is sent. Of a HEAD request nothing is sent. */
int http_stream_write(struct http_request *r, struct bytes piece) MUST_CHECK;
/* Is there no sense in going on? To be asked, once a second or so, by who waits for what to write.
 * A client that ends its side counts as gone: a plain close looks like that. */
bool http_stream_is_over(const struct http_request *r);
/* All was written. A handler that returns without this has its connection cut. */
void http_stream_end(struct http_request *r);

#endif
