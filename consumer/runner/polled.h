/* SPDX-License-Identifier: Apache-2.0
 *
 * polled.h: a descriptor that the loop watches. polled_close is the safe order: the loop stops
 * watching it, then it is closed. Otherwise epoll goes on reporting it while another process has a
 * copy (a child, until its exec), under a number that may be reused. Loop thread only.
 */
#ifndef WARREN_CONSUMER_RUNNER_POLLED_H
#define WARREN_CONSUMER_RUNNER_POLLED_H

#include <uv.h>

#include "common/base/err.h"

struct polled {
        int fd;          /* -1: none */
        bool has_handle; /* the loop uses `poll` until it is closed */
        uv_poll_t poll;
};

/* Gives the descriptor a handle whose data is `owner`, and makes it non-blocking. */
int polled_init(struct polled *w, uv_loop_t *loop, void *owner, struct err *e) MUST_CHECK;
void polled_start(struct polled *w, int events, uv_poll_cb on_event);
void polled_stop(struct polled *w);
/* Closes the handle, if it has one, and the descriptor. The loop calls `closed` later. */
void polled_close(struct polled *w, uv_close_cb closed);

#endif
