/* SPDX-License-Identifier: Apache-2.0
 *
 * polled.h: a descriptor that the loop watches, closed in the one safe order: first the loop
 * forgets it, then it is closed. epoll keeps what is closed without that for as long as another
 * process has a copy (a child between its start and its exec has one of everything), and tells of
 * it under a number that may be another's by then. Loop thread only.
 */
#ifndef WARREN_CONSUMER_RUNNER_POLLED_H
#define WARREN_CONSUMER_RUNNER_POLLED_H

#include <uv.h>

#include "common/base/err.h"

struct polled {
        int fd;          /* -1: none */
        bool has_handle; /* poll is the loop's until it has been closed */
        uv_poll_t poll;
};

/* Gives the descriptor a handle whose data is `owner`, and makes it non-blocking. */
int polled_init(struct polled *w, uv_loop_t *loop, void *owner, struct err *e) MUST_CHECK;
void polled_start(struct polled *w, int events, uv_poll_cb heard);
void polled_stop(struct polled *w);
/* Closes the handle, if it has one (`closed` follows from the loop), and the descriptor. */
void polled_close(struct polled *w, uv_close_cb closed);

#endif
