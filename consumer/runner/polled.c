/* SPDX-License-Identifier: Apache-2.0
 *
 * polled.c: a descriptor and its handle on the loop.
 */
#include "consumer/runner/polled.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/runner/shortage.h"

int polled_init(struct polled *w, uv_loop_t *loop, struct err *e)
{
        AUTO_FREE uv_poll_t *poll = xcalloc(1, sizeof(*poll));
        int failed = uv_poll_init(loop, poll, w->fd);

        if (failed != 0) {
                errno = -failed;
                return shortage_err(e, "cannot watch a descriptor");
        }
        poll->data = w;
        w->poll = TAKE(poll);
        return 0;
}

/* After an error libuv has stopped the poll, and a read or write will tell the error. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
        struct polled *w = poll->data;

        (void)status;
        (void)events;
        w->on_event(w->owner, w);
}

void polled_start(struct polled *w, int events, polled_fn *on_event, void *owner)
{
        w->on_event = on_event;
        w->owner = owner;
        uv_poll_start(w->poll, events, on_poll);
}

void polled_stop(struct polled *w)
{
        uv_poll_stop(w->poll);
}

static void on_closed(uv_handle_t *handle)
{
        free(handle);
}

void polled_close(struct polled *w)
{
        if (w->poll != NULL)
                uv_close((uv_handle_t *)TAKE(w->poll), on_closed); /* also stops the poll */
        if (w->fd >= 0)
                close(own_take_fd(&w->fd));
}
