/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.c: a list, in order of time as all periods are equal, and an alarm for its head.
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

static void publish(struct progress *p, struct progress_note *n)
{
        struct bytes text = buffer_bytes(&n->text);

        n->unpublished = false;
        p->config.publish(p->config.owner, n->attempt, n->done,
                          text.length > 0 ? text : bytes_of(NULL, 0));
}

static void publish_if_any(struct progress *p, struct progress_note *n)
{
        if (n->unpublished && p->config.may_publish(p->config.owner))
                publish(p, n);
}

/* Its period is over. Without a new report it leaves the list: the next is published at once. */
static void end_period(struct progress *p, struct progress_note *n)
{
        p->config.poll(p->config.owner, n->attempt);
        unlist(p, n);
        if (!n->unpublished)
                return;
        list(p, n);
        publish_if_any(p, n);
}

static void on_alarm(void *owner)
{
        struct progress *p = owner;
        msec now = clock_mono();

        while (p->list != NULL && p->list->next_at <= now)
                end_period(p, p->list);
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
        n->unpublished = true;
        n->done = done;
        buffer_clear(&n->text);
        buffer_add(&n->text, text.data, text.length);
        if (n->listed)
                return;
        list(p, n);
        publish_if_any(p, n);
}

void progress_end(struct progress *p, struct progress_note *n)
{
        if (n->listed)
                unlist(p, n);
        if (n->unpublished)
                publish(p, n);
}
