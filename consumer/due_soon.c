/* SPDX-License-Identifier: Apache-2.0
 *
 * due_soon.c: a list in order of due time, and one alarm for its head.
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

/* The wall clock can jump, so it is read at least this often. */
#define LOOK_EVERY ((msec)100)

static void set_alarm(struct due_soon *d, msec now)
{
        if (d->list == NULL) {
                alarm_stop(d->alarm);
                return;
        }
        msec left = d->list->job.run_at - now;
        alarm_set(d->alarm, left < 0 ? 0 : left < LOOK_EVERY ? left : LOOK_EVERY);
}

static void take(struct due_soon *d, struct attempt *a)
{
        DL_DELETE(d->list, a);
        a->queue->due--;
}

static void on_alarm(void *owner)
{
        struct due_soon *d = owner;
        msec now = clock_wall();

        while (d->list != NULL && d->list->job.run_at <= now) {
                struct attempt *a = d->list;
                take(d, a);
                d->due(d->owner, a);
        }
        set_alarm(d, now);
}

struct due_soon *due_soon_create(uv_loop_t *loop, due_fn *due, void *owner)
{
        struct due_soon *d = xcalloc(1, sizeof(*d));

        d->due = due;
        d->owner = owner;
        d->alarm = alarm_create(loop, on_alarm, d);
        return d;
}

void due_soon_destroy(struct due_soon **d)
{
        if (*d == NULL)
                return;
        alarm_destroy(&(*d)->alarm);
        free(*d);
        *d = NULL;
}

void due_soon_add(struct due_soon *d, struct attempt *a)
{
        struct attempt *after = d->list == NULL ? NULL : d->list->prev; /* the last */

        while (after != NULL && after->job.run_at > a->job.run_at)
                after = after == d->list ? NULL : after->prev;
        if (after == NULL)
                DL_PREPEND(d->list, a);
        else
                DL_APPEND_ELEM(d->list, after, a);
        a->queue->due++;
        if (d->list == a)
                set_alarm(d, clock_wall());
}

void due_soon_remove(struct due_soon *d, struct attempt *a)
{
        take(d, a);
        set_alarm(d, clock_wall());
}
