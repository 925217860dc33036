/* SPDX-License-Identifier: Apache-2.0
 *
 * polled.h: a descriptor that the loop watches. polled_close is the safe order: the loop stops
 * watching it, then it is closed. Otherwise epoll goes on reporting it while another process has a
 * copy (a child, until its exec), under a number that may be reused. Its memory may be freed after
 * polled_close. Loop thread only.
 */
#pragma once

#include <uv.h>

#include "common/base/err.h"

struct polled;

typedef void polled_fn(void *owner, struct polled *w);

struct polled {
        int fd;          /* -1: none */
        uv_poll_t *poll; /* NULL: none */
        polled_fn *on_event;
        void *owner;
};

/* Gives the descriptor a handle, and makes it non-blocking. */
int polled_init(struct polled *w, uv_loop_t *loop, struct err *e) MUST_CHECK;
void polled_start(struct polled *w, int events, polled_fn *on_event, void *owner);
void polled_stop(struct polled *w);
/* Closes the handle and the descriptor, those that it has. */
void polled_close(struct polled *w);
