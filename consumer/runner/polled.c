/* SPDX-License-Identifier: Apache-2.0
 *
 * polled.c: a descriptor and its handle on the loop.
 */
#include "consumer/runner/polled.h"

#include <errno.h>
#include <unistd.h>

#include "common/base/own.h"
#include "consumer/runner/shortage.h"

int polled_init(struct polled *w, uv_loop_t *loop, void *owner, struct err *e)
{
        int failed = uv_poll_init(loop, &w->poll, w->fd);

        if (failed != 0) {
                errno = -failed;
                return shortage_err(e, "cannot watch a descriptor");
        }
        w->poll.data = owner;
        w->has_handle = true;
        return 0;
}

void polled_start(struct polled *w, int events, uv_poll_cb on_event)
{
        uv_poll_start(&w->poll, events, on_event);
}

void polled_stop(struct polled *w)
{
        uv_poll_stop(&w->poll);
}

void polled_close(struct polled *w, uv_close_cb closed)
{
        if (w->has_handle) {
                w->has_handle = false;
                uv_close((uv_handle_t *)&w->poll, closed); /* also stops the poll */
        }
        if (w->fd >= 0)
                close(own_take_fd(&w->fd));
}
