/* SPDX-License-Identifier: Apache-2.0
 *
 * due_soon.c: a list in order of time, and one alarm for its head.
 */
#include "consumer/due_soon.h"

#include <stdlib.h>
#include <utlist.h>

#include "common/base/memory.h"

struct due_soon {
        struct attempt *list; /* the next one due first */
        struct alarm *alarm;
        due_fn *due;
        void *owner;
};

/* The wall clock can jump: at most this long between looks at it. */
#define LOOK_EVERY ((msec)100)

static void set_alarm(struct due_soon *h, msec now)
{
        if (h->list == NULL) {
                alarm_stop(h->alarm);
                return;
        }
        msec left = h->list->job.run_at - now;
        alarm_set(h->alarm, left < 0 ? 0 : left < LOOK_EVERY ? left : LOOK_EVERY);
}

static void on_alarm(void *owner)
{
        struct due_soon *h = owner;
        msec now = clock_wall();

        while (h->list != NULL && h->list->job.run_at <= now) {
                struct attempt *a = h->list;
                DL_DELETE(h->list, a);
                h->due(h->owner, a);
        }
        set_alarm(h, now);
}

struct due_soon *due_soon_create(uv_loop_t *loop, due_fn *due, void *owner)
{
        struct due_soon *h = xcalloc(1, sizeof(*h));

        h->due = due;
        h->owner = owner;
        h->alarm = alarm_create(loop, on_alarm, h);
        return h;
}

void due_soon_destroy(struct due_soon **h)
{
        if (*h == NULL)
                return;
        alarm_destroy(&(*h)->alarm);
        free(*h);
        *h = NULL;
}

void due_soon_add(struct due_soon *h, struct attempt *a)
{
        struct attempt *after = h->list == NULL ? NULL : h->list->prev; /* the last */

        while (after != NULL && after->job.run_at > a->job.run_at)
                after = after == h->list ? NULL : after->prev;
        if (after == NULL)
                DL_PREPEND(h->list, a);
        else
                DL_APPEND_ELEM(h->list, after, a);
        if (h->list == a)
                set_alarm(h, clock_wall());
}

void due_soon_remove(struct due_soon *h, struct attempt *a)
{
        DL_DELETE(h->list, a);
        set_alarm(h, clock_wall());
}

struct attempt *due_soon_any(const struct due_soon *h)
{
        return h->list;
}
