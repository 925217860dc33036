/* SPDX-License-Identifier: Apache-2.0
 *
 * watched.h: a descriptor that the loop watches, closed in the one safe order: first the loop
 * forgets it, then it is closed. epoll keeps what is closed without that for as long as another
 * process has a copy (a child between its start and its exec has one of everything), and tells of
 * it under a number that may be another's by then. Loop thread only.
 */
#ifndef WARREN_CONSUMER_RUNNER_WATCHED_H
#define WARREN_CONSUMER_RUNNER_WATCHED_H

#include <uv.h>

#include "common/base/err.h"

struct watched {
        int fd;          /* -1: none */
        bool has_handle; /* poll is the loop's until it has been closed */
        uv_poll_t poll;
};

/* Gives the descriptor a handle whose data is `owner`, and makes it non-blocking. */
int watched_init(struct watched *w, uv_loop_t *loop, void *owner, struct err *e) MUST_CHECK;
void watched_start(struct watched *w, int events, uv_poll_cb heard);
void watched_stop(struct watched *w);
/* Closes the handle, if it has one (`closed` follows from the loop), and the descriptor. */
void watched_close(struct watched *w, uv_close_cb closed);

#endif
