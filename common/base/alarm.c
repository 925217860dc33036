/* SPDX-License-Identifier: Apache-2.0
 *
 * alarm.c: a uv_timer_t on the heap, freed when libuv has closed it.
 */
#include "common/base/alarm.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/memory.h"

struct alarm {
        uv_timer_t timer; /* first: the handle is the alarm */
        void (*ring)(void *owner);
        void *owner;
};

struct alarm *alarm_create(uv_loop_t *loop, void (*ring)(void *owner), void *owner)
{
        struct alarm *a = xcalloc(1, sizeof(*a));

        a->ring = ring;
        a->owner = owner;
        int failed = uv_timer_init(loop, &a->timer);
        assert(failed == 0);
        (void)failed;
        return a;
}

static void on_closed(uv_handle_t *handle)
{
        free(handle);
}

void alarm_destroy(struct alarm **a)
{
        if (*a == NULL)
                return;
        uv_close((uv_handle_t *)&(*a)->timer, on_closed);
        *a = NULL;
}

static void on_timer(uv_timer_t *timer)
{
        struct alarm *a = (struct alarm *)timer;

        a->ring(a->owner);
}

static void start(struct alarm *a, msec wait, msec period)
{
        assert(wait >= 0 && period >= 0);
        /* libuv counts from the loop's cached time. After a long callback that is old, and the
         * timer would ring early. */
        uv_update_time(a->timer.loop);
        int failed = uv_timer_start(&a->timer, on_timer, (uint64_t)wait, (uint64_t)period);
        assert(failed == 0);
        (void)failed;
}

void alarm_set(struct alarm *a, msec wait)
{
        start(a, wait, 0);
}

void alarm_set_every(struct alarm *a, msec period)
{
        start(a, period, period);
}

void alarm_stop(struct alarm *a)
{
        uv_timer_stop(&a->timer);
}

bool alarm_is_set(const struct alarm *a)
{
        return uv_is_active((const uv_handle_t *)&a->timer) != 0;
}
