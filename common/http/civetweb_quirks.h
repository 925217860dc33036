/* SPDX-License-Identifier: Apache-2.0
 *
 * civetweb_quirks.h: all workarounds for civetweb, each with its reason and versions. 1.15 is
 * Debian 12's: tested. 1.16 is Debian 13's: read from its source.
 *
 * Other places that civetweb's behaviour decides, all for 1.15 and 1.16:
 * - framing.h checks a request's framing, which civetweb does not.
 * - watch.h has deadlines where civetweb waits without one.
 * - A connection's data are freed in connection_close: civetweb has cleared its pointer to them
 * when it calls connection_closed (connection.h).
 * - All answers are given before mg_stop: after it nothing is written (server.c).
 * - There is no TLS (server.c; measured).
 */
#pragma once

#include <civetweb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/err.h"

/* Size of civetweb's buffer for a head and the input that follows. */
#define QUIRK_HEAD_SIZE 16384

/* Where a server listens. */
struct quirk_listener {
        struct in_addr address;
        _Atomic in_port_t port; /* network byte order; 0 until it is known */
};

/* A connection for which no thread is free waits in a queue without an answer. So a server needs
 * spare threads to refuse connections. 1.15, 1.16. */
unsigned quirk_threads(unsigned seats);

/* civetweb stops at the first line of a head that it does not accept as a header, and serves the
 * request with the headers before it: after obsolete folding, a byte over 126, a lone line feed or
 * the 64th header it does not see a Content-Length or a key. It also skips white space before the
 * request line but counts it in the head's length, and then reads the same bytes again, or those of
 * an earlier request. A proxy in front may read both differently: a request can be smuggled past
 * it. The raw head is not available. But civetweb parses in place: it puts a NUL after each word,
 * name and value, and returns pointers into its buffer. So this function checks the bytes between
 * these. It cannot distinguish CR LF after the request line from any other two of CR, LF and blank:
 * both become two NULs. 1.15, 1.16.
 *
 * Call it on the thread that serves the connection, before anything reads the request: it also
 * trims white space at the end of values. Returns 0, or the status of the refusal; then do not
 * trust anything of the connection. */
int quirk_check_head(const struct mg_request_info *info, struct err *e) MUST_CHECK;

/* When the target is `*`, or is absolute without the server's port, civetweb closes the connection
 * without an answer. The only callback is connection_close, where the request can still be answered
 * by Warren. The target is split in place into path and query (or NULL). 1.15, 1.16. */
bool quirk_is_unanswered(const struct mg_request_info *info);
void quirk_split_target(const struct mg_request_info *info, const char **path, const char **query);

/* civetweb's own refusals have wrong statuses (413 for too large headers, 411 for a Content-Length
 * that is not a number) and texts for its developers. Corrects *status; returns a text for the
 * client. 1.15, 1.16. */
const char *quirk_refusal(int *status, const char *message);

/* Finds a connection's socket, which civetweb does not show, in /proc/self/fd by its two ends. Of
 * the local end only the port is known: when the server listens on every address, a peer can have
 * two connections from one port. -1: not found, or not certain. 1.15, 1.16. */
int quirk_find_socket(const struct quirk_listener *l, const struct mg_request_info *info);

/* civetweb does not report a connection before its first head has come, though it holds a thread
 * meanwhile. Shuts down for reading up to `count` of the listener's sockets that have been open for
 * a second and are not `known`. Returns how many. Any thread. 1.15, 1.16. */
unsigned quirk_end_late(const struct quirk_listener *l, unsigned count,
                        bool (*known)(void *owner, int fd), void *owner);

/* civetweb hides its buffer with pipelined requests. Compare this count of bytes received: a
 * request that begins while it is unchanged was in the buffer. 1.15, 1.16. */
uint64_t quirk_bytes_received(int fd);

/* mg_write's timeout begins again for each piece, and with any progress. So small pieces are
 * written, and the time is checked between them. For a connection whose socket was not found.
 * 1.15, 1.16. */
int quirk_write(struct mg_connection *c, struct bytes text, msec limit) MUST_CHECK;

/* civetweb ends a connection's use with its request. Its own WebSockets hold a thread each,
 * allocate any length that a frame states (up to 2 GB), do not join fragments, and block the sender
 * on a slow peer. So this takes the socket: it returns a descriptor of the connection, and puts
 * under `fd`, which civetweb closes, a socket whose peer is closed. Input that civetweb has read
 * but not used is lost. 1.15, 1.16. */
int quirk_take_socket(int fd, struct err *e) MUST_CHECK;

/* mg_stop waits for the accepting thread and for threads that wait for input, which check only
 * every 2 s. This wakes them: it shuts down the listening socket (no more connections) and those of
 * connections for reading. Call it immediately before mg_stop: until then the accepting thread
 * fails in a busy loop. 1.15, 1.16. */
void quirk_wake_to_stop(const struct quirk_listener *l);

/* mg_stop leaves connections open that no thread had begun to serve: their clients would wait until
 * the process ends. Closes them. Call it after mg_stop, when nobody uses a socket of the listener.
 * 1.15 (seen), 1.16. */
void quirk_close_left(const struct quirk_listener *l);
