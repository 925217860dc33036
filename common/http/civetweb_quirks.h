/* SPDX-License-Identifier: Apache-2.0
 *
 * civetweb_quirks.h: everything that works around civetweb, each with its reason and the versions
 * that it was seen in: 1.15 is Debian 12's, tested; 1.16 is Debian 13's, read from its source.
 * Where something of it is no longer needed, only this file and its callers change.
 *
 * What is shaped by it elsewhere: what a server checks of a request by itself (framing.h; 1.15,
 * 1.16); deadlines for what it waits for without one (watch.h; 1.15, 1.16); a connection's data are
 * freed in connection_close, as they are forgotten when connection_closed is called (connection.h;
 * 1.15, 1.16); all answers are given before mg_stop, after which nothing is written (server.c;
 * 1.15, 1.16); no TLS (server.c; measured with both).
 */
#ifndef WARREN_HTTP_CIVETWEB_QUIRKS_H
#define WARREN_HTTP_CIVETWEB_QUIRKS_H

#include <civetweb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/err.h"

/* civetweb's buffer for a head, and what comes with it. */
#define QUIRK_HEAD_SIZE 16384

/* Where a server listens. */
struct quirk_listener {
        struct in_addr address;
        _Atomic in_port_t port; /* in network order; of any that is free: once it is known */
};

/* A connection that no thread is free for waits in a queue, and nobody answers it. So a server that
 * is to refuse whom it cannot serve has threads to spare. 1.15, 1.16. */
unsigned quirk_threads(unsigned seats);

/* civetweb stops at the first line of a head that it does not take for a header, and serves the
 * request with the headers before it: behind obsolete folding, a byte over 126, a lone line feed or
 * its 64th header a Content-Length or a key is not seen. It skips white space before the request
 * line, but reckons the head's length with it, and then reads the same bytes again, or what an
 * earlier request left in its buffer. A proxy in front can take both otherwise, and then a request
 * can be smuggled past it. What was read is not to be had, but it is parsed in place: a NUL is put
 * where a word, a name or a value ends, and everything that is returned points into that buffer. So
 * whatever stands between its words can be looked at afterwards. What cannot be told apart: CR LF
 * after the request line, and any other two of CR, LF and blank: two NULs are put for either.
 * 1.15, 1.16.
 *
 * On the thread that serves the connection, before anything else looks at the request: it also
 * takes the optional white space off the ends of values. Returns 0, or the status to refuse the
 * request with; then nothing of the connection can be trusted. */
int quirk_check_head(const struct mg_request_info *info, struct err *e) MUST_CHECK;

/* When the target is `*`, or is absolute and does not name the server's port, the connection is
 * closed without a word and without a callback but connection_close: there such a request can still
 * be answered. It is split into path and query (or NULL), in place. 1.15, 1.16. */
bool quirk_is_unanswered(const struct mg_request_info *info);
void quirk_split_target(const struct mg_request_info *info, const char **path, const char **query);

/* What it refuses by itself comes with statuses that mean something else, and words for itself:
 * 413 when it has only read headers so far, 411 for a Content-Length that is no number. Sets the
 * status right, and returns words for the client. 1.15, 1.16. */
const char *quirk_refusal(int *status, const char *message);

/* The socket of a connection is not told, but its two ends name it, and /proc/self/fd lists all. Of
 * its own end only the port is told: where a server listens on every address, a peer can have two
 * connections from one port to two of them. -1: not found, or not certain which it is. 1.15,
 * 1.16. */
int quirk_find_socket(const struct quirk_listener *l, const struct mg_request_info *info);

/* A connection whose first request has not come is not told of at all, and holds a thread until its
 * head has come. Ends for reading up to `count` sockets of the listener that have been open for a
 * second and are not `known`. Returns how many. Any thread. 1.15, 1.16. */
unsigned quirk_end_late(const struct quirk_listener *l, unsigned count,
                        bool (*known)(void *owner, int fd), void *owner);

/* What a client pipelines is read into a buffer that nobody can see. So a request that begins
 * without a byte from outside was there before: this is how many have come. 1.15,
 * 1.16. */
uint64_t quirk_bytes_received(int fd);

/* mg_write gives each piece a time of its own, and waits for some progress only: so pieces are
 * small, and the time is looked at between them. For a connection whose socket is not known.
 * 1.15, 1.16. */
int quirk_write(struct mg_connection *c, struct bytes text, msec limit) MUST_CHECK;

/* A connection cannot be kept past the end of its request, and a WebSocket of civetweb's own holds
 * a thread for as long as it lasts, allocates whatever length a frame says (up to 2 GB), does not
 * join fragments, and blocks its sender on a slow peer. So its socket is taken: the returned
 * descriptor is the connection's, and civetweb closes, under the number it knows, a socket whose
 * peer is gone. What it had read already and nobody has seen is lost. 1.15, 1.16. */
int quirk_take_socket(int fd, struct err *e) MUST_CHECK;

/* mg_stop waits for an accepting thread and for threads that wait for input, and each looks up
 * every 2 s only. So the listening socket is shut down, which wakes the first (nobody can connect
 * any more), and those of connections for reading. Immediately before mg_stop: until then the
 * accepting thread tries again and again. 1.15, 1.16. */
void quirk_wake_to_stop(const struct quirk_listener *l);

#endif
