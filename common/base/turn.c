/* SPDX-License-Identifier: Apache-2.0
 *
 * turn.c: a uv_prepare_t, which libuv calls just before it waits for events.
 */
#include "common/base/turn.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/base/own.h"

struct turn {
        uv_prepare_t prepare; /* first: the handle is the turn */
        void (*done)(void *owner);
        void *owner;
};

static void on_prepare(uv_prepare_t *prepare)
{
        struct turn *t = (struct turn *)prepare;

        t->done(t->owner);
}

struct turn *turn_create(uv_loop_t *loop, void (*done)(void *owner), void *owner)
{
        struct turn *t = xcalloc(1, sizeof(*t));

        t->done = done;
        t->owner = owner;
        uv_prepare_init(loop, &t->prepare); /* these two cannot fail */
        uv_prepare_start(&t->prepare, on_prepare);
        return t;
}

static void on_closed(uv_handle_t *handle)
{
        free(handle);
}

void turn_destroy(struct turn **turn)
{
        struct turn *t = TAKE(*turn);

        if (t != NULL)
                uv_close((uv_handle_t *)&t->prepare, on_closed);
}
