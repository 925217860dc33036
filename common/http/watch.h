/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.h: a thread that ends connections on which something takes too long. civetweb's mg_read
 * returns only when all bytes have come, and its timeout begins again with every byte: a client
 * that sends one byte at a time would hold a thread for ever. So the watch shuts down such a
 * socket. When a server is short of threads, the watch also ends connections that wait for a
 * request, and answers that make no progress.
 */
#pragma once

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/base/err.h"

struct watch;

enum watch_what {
        WATCH_IDLE,   /* waits for the next request */
        WATCH_BODY,   /* reads a request's body */
        WATCH_ANSWER, /* writes an answer */
};

struct watched {
        int fd;
        enum watch_what what;
        msec since, deadline; /* on the monotonic clock */
        bool expired;
        struct watched *prev, *next;
};

/* Calls `excess` every 100 ms: it returns how many connections should end early. Any thread. */
struct watch *watch_create(unsigned (*excess)(void *owner), void *owner, struct err *e) MUST_CHECK;
void watch_destroy(struct watch **w);

/* Until watch_end keep fd open, and do not move `entry`. After `limit` ms the socket is shut down:
 * for reading; for WATCH_ANSWER in both directions. */
void watch_begin(struct watch *w, struct watched *entry, int fd, enum watch_what what, msec limit);
/* True: the socket was shut down. */
bool watch_end(struct watch *w, struct watched *entry);

/* Ends up to `count` connections that have been idle for 500 ms, or without progress of an answer
 * for 1 s, the longest first. Returns how many. Any thread. */
unsigned watch_relieve(struct watch *w, unsigned count);

/* Ends everything that is watched, now or later, `limit` ms from now. Any thread. */
void watch_limit_all(struct watch *w, msec limit);
