/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.h: ends what takes too long on a connection. civetweb's mg_read comes back only with all it
 * was asked for, and its timeout begins anew with every byte: a sender of one byte at a time holds
 * a thread for ever. So a thread of the watch shuts down such a socket. When a server is short of
 * threads, it also ends connections that wait for a request, and answers that nobody reads.
 */
#ifndef WARREN_HTTP_WATCH_H
#define WARREN_HTTP_WATCH_H

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/base/err.h"

struct watch;

enum watch_what {
        WATCH_IDLE,   /* the next request is awaited */
        WATCH_BODY,   /* a request's body is read */
        WATCH_ANSWER, /* an answer is written */
};

struct watched {
        int fd;
        enum watch_what what;
        msec since, deadline; /* on the monotonic clock */
        bool expired;
        struct watched *prev, *next;
};

/* `excess` is asked every 100 ms how many connections are to end early. Any thread. */
struct watch *watch_create(unsigned (*excess)(void *owner), void *owner, struct err *e) MUST_CHECK;
void watch_destroy(struct watch **w);

/* Between the two calls fd stays open and `entry` stays where it is. The socket is shut down when
 * that lasts longer than `limit`: for reading, or altogether when an answer is written. */
void watch_begin(struct watch *w, struct watched *entry, int fd, enum watch_what what, msec limit);
/* True when the time was over. */
bool watch_end(struct watch *w, struct watched *entry);

/* Ends up to `count` connections that have been idle, or have made no progress with an answer, for
 * a while: the longest first. Returns how many. Any thread. */
unsigned watch_relieve(struct watch *w, unsigned count);

/* Ends whatever is watched, now or later, when that lasts until `limit` ms from now. Any thread. */
void watch_limit_all(struct watch *w, msec limit);

#endif
