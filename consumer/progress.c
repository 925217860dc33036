/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.c: a list in order of time, as every period is as long, and one alarm for its head.
 */
#include "consumer/progress.h"

#include <stdlib.h>
#include <utlist.h>

#include "common/base/alarm.h"
#include "common/base/memory.h"

struct progress {
        struct progress_config config;
        struct progress_note *list; /* the next one due first */
        struct alarm *alarm;
};

static void list(struct progress *p, struct progress_note *n)
{
        n->listed = true;
        n->next_at = clock_mono() + PROGRESS_PERIOD;
        DL_APPEND(p->list, n);
        if (p->list == n)
                alarm_set(p->alarm, PROGRESS_PERIOD);
}

static void unlist(struct progress *p, struct progress_note *n)
{
        n->listed = false;
        DL_DELETE(p->list, n);
}

static void tell(struct progress *p, struct progress_note *n)
{
        struct bytes text = buffer_bytes(&n->text);

        n->untold = false;
        p->config.tell(p->config.owner, n->attempt, n->done,
                       text.length > 0 ? text : bytes_of(NULL, 0));
}

static void tell_if_any(struct progress *p, struct progress_note *n)
{
        if (n->untold && p->config.may_tell(p->config.owner))
                tell(p, n);
}

/* Its period is over. One that has reported nothing in it is listed no more: what it reports next
 * is told at once. */
static void look_at(struct progress *p, struct progress_note *n)
{
        p->config.look(p->config.owner, n->attempt);
        unlist(p, n);
        if (!n->untold)
                return;
        list(p, n);
        tell_if_any(p, n);
}

static void on_alarm(void *owner)
{
        struct progress *p = owner;
        msec now = clock_mono();

        while (p->list != NULL && p->list->next_at <= now)
                look_at(p, p->list);
        if (p->list != NULL)
                alarm_set(p->alarm, p->list->next_at - now);
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

void progress_note(struct progress *p, struct progress_note *n, double done, struct bytes text)
{
        n->untold = true;
        n->done = done;
        buffer_clear(&n->text);
        buffer_add(&n->text, text.data, text.length);
        if (n->listed)
                return;
        list(p, n);
        tell_if_any(p, n);
}

void progress_end(struct progress *p, struct progress_note *n)
{
        if (n->listed)
                unlist(p, n);
        if (n->untold)
                tell(p, n);
}
