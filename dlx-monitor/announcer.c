/* SPDX-License-Identifier: Apache-2.0
 *
 * announcer.c: publishes `buried` events from the archive, one batch at a time.
 */
#include "dlx-monitor/announcer.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"
#include "dlx-monitor/letters.h"

enum { BATCH_MAX = 100 };
#define RETRY_AFTER 1000 /* ms */

struct announcer {
        struct link *link;
        struct archive *archive;
        uv_timer_t *timer;
        char ids[BATCH_MAX][UUID_SIZE];
        size_t count;
        bool in_flight;
};

static void on_timer(uv_timer_t *timer)
{
        announcer_kick(timer->data);
}

static void try_later(struct announcer *a)
{
        uv_timer_start(a->timer, on_timer, RETRY_AFTER, 0);
}

static void on_published(void *owner, enum link_result result)
{
        struct announcer *a = owner;
        struct err e = {0};

        a->in_flight = false;
        if (result != LINK_CONFIRMED) {
                try_later(a);
                return;
        }
        if (archive_set_announced(a->archive, a->ids, a->count, &e) != 0) {
                LOG_WARN("a burial will be announced twice", log_err(&e));
                try_later(a);
                return;
        }
        announcer_kick(a);
}

static int publish(struct announcer *a, struct bytes lines, struct err *e)
{
        struct message m = {
                .exchange = bytes_of_text("events"),
                .routing_key = bytes_of("", 0),
                .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                .delivery_mode = 2,
                .body = lines,
        };
        const struct publish_wait wait = {.done = on_published, .owner = a};

        if (link_publish(a->link, &m, &wait, e) != 0)
                return -1;
        a->in_flight = true;
        return 0;
}

void announcer_kick(struct announcer *a)
{
        AUTO_BUFFER lines = {0};
        struct err e = {0};

        if (a->in_flight || !link_is_up(a->link))
                return;
        uv_timer_stop(a->timer);
        if (letters_silent(a->archive, BATCH_MAX, a->ids, &a->count, &lines, &e) != 0) {
                LOG_WARN("cannot read what is to be announced", log_err(&e));
                try_later(a);
        } else if (a->count > 0 && publish(a, buffer_bytes(&lines), &e) != 0) {
                try_later(a);
        }
}

struct announcer *announcer_create(struct link *link, struct archive *archive, uv_loop_t *loop)
{
        struct announcer *a = xcalloc(1, sizeof(*a));

        a->link = link;
        a->archive = archive;
        a->timer = xcalloc(1, sizeof(*a->timer));
        uv_timer_init(loop, a->timer);
        a->timer->data = a;
        return a;
}

static void free_timer(uv_handle_t *timer)
{
        free(timer);
}

void announcer_destroy(struct announcer **announcer)
{
        struct announcer *a = TAKE(*announcer);

        if (a == NULL)
                return;
        uv_close((uv_handle_t *)a->timer, free_timer);
        free(a);
}
