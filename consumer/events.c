/* SPDX-License-Identifier: Apache-2.0
 *
 * events.c: one open batch, and the unconfirmed ones. Batches are reused, with their buffers.
 */
#include "consumer/events.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/alarm.h"
#include "common/base/memory.h"
#include "common/base/turn.h"

enum { SPARE_MAX = 8 }; /* batches kept for reuse */

struct batch {
        struct publication publication; /* first: the publication is the batch */
        uint64_t number;
        struct buffer lines;
        unsigned count;
        struct attempt *closes[EVENTS_MAX];
        unsigned close_count;
        struct batch *prev, *next;
};

struct events {
        struct outbox *outbox;
        const char *app_id;
        attempt_confirmed_fn *confirmed;
        void *owner;
        struct batch *open; /* NULL: it would be empty */
        struct batch *sent; /* not yet confirmed; in the order of their numbers */
        uint64_t last;      /* number of the last batch that was opened */
        struct batch *spare;
        unsigned spare_count;
        struct alarm *alarm; /* rings when the open batch has reached its age */
        struct turn *turn;
};

static void batch_free(struct batch *b)
{
        buffer_fini(&b->lines);
        free(b);
}

static void recycle(struct events *ev, struct batch *b)
{
        buffer_clear(&b->lines);
        b->count = b->close_count = 0;
        if (ev->spare_count >= SPARE_MAX || b->lines.size > 2 * (size_t)EVENTS_BYTES_MAX) {
                batch_free(b);
                return;
        }
        LL_PREPEND(ev->spare, b);
        ev->spare_count++;
}

static void on_confirmed(void *owner, struct publication *p)
{
        struct events *ev = owner;
        struct batch *b = (struct batch *)p;

        DL_DELETE(ev->sent, b);
        for (unsigned i = 0; i < b->close_count; i++)
                ev->confirmed(ev->owner, b->closes[i]);
        recycle(ev, b);
}

void events_message(const char *app_id, msec now, struct message *m)
{
        memset(m, 0, offsetof(struct message, headers));
        m->exchange = bytes_of_text("events");
        m->routing_key = bytes_of_text("");
        m->content_type = bytes_of_text(EVENTS_CONTENT_TYPE);
        m->app_id = bytes_of_text(app_id);
        m->timestamp = now / 1000;
        m->delivery_mode = 2;
        m->header_count = 0;
        m->properties = (struct bytes){0};
        m->body = bytes_of_text("");
}

static void encode(const struct publication *p, bool again, msec now, struct job_message *out)
{
        const struct batch *b = (const struct batch *)p;
        const struct events *ev = p->owner;

        (void)again; /* events may be repeated */
        events_message(ev->app_id, now, &out->message);
        out->message.body = buffer_bytes(&b->lines);
}

static void flush(struct events *ev)
{
        struct batch *b = ev->open;

        if (b == NULL)
                return;
        ev->open = NULL;
        alarm_stop(ev->alarm);
        DL_APPEND(ev->sent, b);
        b->publication =
                (struct publication){.encode = encode, .confirmed = on_confirmed, .owner = ev};
        outbox_post(ev->outbox, &b->publication);
}

static void on_alarm(void *owner)
{
        flush(owner);
}

static void on_turn(void *owner)
{
        struct events *ev = owner;

        if (ev->open == NULL)
                return;
        if (ev->sent == NULL)
                flush(ev);
        else if (!alarm_is_set(ev->alarm))
                alarm_set(ev->alarm, EVENTS_AGE);
}

struct events *events_create(uv_loop_t *loop, struct outbox *o, const char *app_id,
                             attempt_confirmed_fn *confirmed, void *owner)
{
        struct events *ev = xcalloc(1, sizeof(*ev));

        ev->outbox = o;
        ev->app_id = app_id;
        ev->confirmed = confirmed;
        ev->owner = owner;
        ev->alarm = alarm_create(loop, on_alarm, ev);
        ev->turn = turn_create(loop, on_turn, ev);
        return ev;
}

void events_destroy(struct events **ev)
{
        struct batch *b, *next;

        if (*ev == NULL)
                return;
        if ((*ev)->open != NULL)
                batch_free((*ev)->open);
        LL_FOREACH_SAFE ((*ev)->sent, b, next)
                batch_free(b);
        LL_FOREACH_SAFE ((*ev)->spare, b, next)
                batch_free(b);
        alarm_destroy(&(*ev)->alarm);
        turn_destroy(&(*ev)->turn);
        free(*ev);
        *ev = NULL;
}

static struct batch *open_batch(struct events *ev)
{
        if (ev->open != NULL)
                return ev->open;
        if (ev->spare == NULL) {
                ev->open = xcalloc(1, sizeof(*ev->open));
        } else {
                ev->open = ev->spare;
                LL_DELETE(ev->spare, ev->open);
                ev->spare_count--;
        }
        ev->open->number = ++ev->last;
        return ev->open;
}

void events_add(struct events *ev, const struct event *e, struct attempt *closes)
{
        struct batch *b = open_batch(ev);

        event_write(e, &b->lines);
        b->count++;
        if (closes != NULL)
                b->closes[b->close_count++] = closes;
        if (b->count == EVENTS_MAX || b->lines.length >= EVENTS_BYTES_MAX)
                flush(ev);
}

uint64_t events_last(const struct events *ev)
{
        return ev->last;
}

bool events_are_confirmed(const struct events *ev, uint64_t batch)
{
        return (ev->sent == NULL || ev->sent->number > batch) &&
               (ev->open == NULL || ev->open->number > batch);
}

bool events_are_pending(const struct events *ev)
{
        return ev->open != NULL || ev->sent != NULL;
}
