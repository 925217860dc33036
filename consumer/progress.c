/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.c: a list in order of time, as every period is as long, and one alarm for its head.
 */
#include "consumer/progress.h"

#include <stdlib.h>
#include <utlist.h>

#include "common/base/alarm.h"
#include "common/base/memory.h"
#include "consumer/attempt.h"

struct progress {
        struct progress_config config;
        struct attempt *list; /* the next one due first */
        struct alarm *alarm;
};

static void list(struct progress *p, struct attempt *a)
{
        a->progress.listed = true;
        a->progress.next_at = clock_mono() + PROGRESS_PERIOD;
        DL_APPEND2(p->list, a, progress.prev, progress.next);
        if (p->list == a)
                alarm_set(p->alarm, PROGRESS_PERIOD);
}

static void unlist(struct progress *p, struct attempt *a)
{
        a->progress.listed = false;
        DL_DELETE2(p->list, a, progress.prev, progress.next);
}

static void tell(struct progress *p, struct attempt *a)
{
        struct bytes text = buffer_bytes(&a->progress.text);

        a->progress.untold = false;
        p->config.tell(p->config.owner, a, a->progress.done,
                       text.length > 0 ? text : bytes_of(NULL, 0));
}

static void tell_if_any(struct progress *p, struct attempt *a)
{
        if (a->progress.untold && p->config.may_tell(p->config.owner))
                tell(p, a);
}

/* Its period is over. One that has reported nothing in it is listed no more: what it reports next
 * is told at once. */
static void look_at(struct progress *p, struct attempt *a)
{
        unlist(p, a);
        list(p, a);
        p->config.look(p->config.owner, a);
        if (a->progress.untold)
                tell_if_any(p, a);
        else
                unlist(p, a);
}

static void on_alarm(void *owner)
{
        struct progress *p = owner;
        msec now = clock_mono();

        while (p->list != NULL && p->list->progress.next_at <= now)
                look_at(p, p->list);
        if (p->list != NULL)
                alarm_set(p->alarm, p->list->progress.next_at - now);
        else
                alarm_stop(p->alarm);
}

struct progress *progress_create(const struct progress_config *c)
{
        struct progress *p = xcalloc(1, sizeof(*p));

        p->config = *c;
        p->alarm = alarm_create(c->loop, on_alarm, p);
        return p;
}

void progress_destroy(struct progress **p)
{
        if (*p == NULL)
                return;
        alarm_destroy(&(*p)->alarm);
        free(*p);
        *p = NULL;
}

void progress_note(struct progress *p, struct attempt *a, double done, struct bytes text)
{
        struct progress_note *n = &a->progress;

        n->untold = true;
        n->done = done;
        buffer_clear(&n->text);
        buffer_add(&n->text, text.data, text.length);
        if (n->listed)
                return;
        list(p, a);
        tell_if_any(p, a);
}

void progress_end(struct progress *p, struct attempt *a)
{
        if (a->progress.listed)
                unlist(p, a);
        if (a->progress.untold)
                tell(p, a);
}
