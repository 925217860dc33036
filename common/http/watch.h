/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.h: ends a read that takes too long. civetweb's mg_read comes back only with all it was
 * asked for, and its timeout begins anew with every byte: a sender of one byte at a time holds a
 * thread for ever. So a thread of the watch shuts down the receiving side of such a socket.
 */
#ifndef WARREN_HTTP_WATCH_H
#define WARREN_HTTP_WATCH_H

#include <civetweb.h>
#include <stdbool.h>

#include "common/base/clock.h"
#include "common/base/err.h"

struct watch;

struct watched {
        int fd;
        msec deadline; /* on the monotonic clock */
        bool expired;
        struct watched *prev, *next;
};

struct watch *watch_create(struct err *e) MUST_CHECK;
void watch_destroy(struct watch **w);

/* Between the two calls the calling thread reads the connection's socket, at most for `limit`. w
 * stays where it is. */
void watch_begin(struct watch *w, struct watched *entry, struct mg_connection *c, msec limit);
/* True when the time was over. */
bool watch_end(struct watch *w, struct watched *entry);

#endif
