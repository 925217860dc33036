/* SPDX-License-Identifier: Apache-2.0
 *
 * announcer.c: publishes `buried` events from the archive, one batch at a time.
 */
#include "dlx-monitor/announcer.h"

#include <stdlib.h>
#include <string.h>

#include "common/amqp/outbox.h"
#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"
#include "dlx-monitor/letters.h"

enum { BATCH_MAX = 100 };
#define RETRY_AFTER ((msec)1000)

struct announcer {
        struct archive *archive;
        struct outbox *outbox;
        struct alarm *alarm;
        struct publication publication; /* the batch in flight */
        bool in_flight;
        struct buffer lines;
        char ids[BATCH_MAX][UUID_SIZE];
        size_t count;
};

static void on_confirmed(void *owner, struct publication *p)
{
        struct announcer *a = owner;
        struct err e = {0};

        (void)p;
        a->in_flight = false;
        if (archive_set_announced(a->archive, a->ids, a->count, &e) != 0) {
                LOG_WARN("burials will be announced again: cannot note that they were",
                         log_err(&e));
                alarm_set(a->alarm, RETRY_AFTER);
                return;
        }
        announcer_kick(a);
}

static void encode(const struct publication *p, bool again, msec now, struct job_message *out)
{
        const struct announcer *a = p->owner;

        (void)again; /* events may be repeated */
        (void)now;
        memset(&out->message, 0, offsetof(struct message, headers));
        out->message.header_count = 0;
        out->message.properties = (struct bytes){0};
        out->message.exchange = bytes_of_text("events");
        out->message.routing_key = bytes_of_text("");
        out->message.content_type = bytes_of_text(EVENTS_CONTENT_TYPE);
        out->message.delivery_mode = 2;
        out->message.body = buffer_bytes(&a->lines);
}

void announcer_kick(struct announcer *a)
{
        struct err e = {0};

        if (a->in_flight)
                return;
        alarm_stop(a->alarm);
        buffer_clear(&a->lines);
        if (letters_silent(a->archive, BATCH_MAX, a->ids, &a->count, &a->lines, &e) != 0) {
                LOG_WARN("cannot read unannounced burials", log_err(&e));
                alarm_set(a->alarm, RETRY_AFTER);
                return;
        }
        if (a->count == 0)
                return;
        a->in_flight = true;
        a->publication =
                (struct publication){.encode = encode, .confirmed = on_confirmed, .owner = a};
        outbox_post(a->outbox, &a->publication);
}

static void on_alarm(void *owner)
{
        announcer_kick(owner);
}

struct announcer *announcer_create(struct link *link, struct archive *archive, uv_loop_t *loop)
{
        struct announcer *a = xcalloc(1, sizeof(*a));

        a->archive = archive;
        a->outbox = outbox_create(link, loop, NULL, NULL);
        a->alarm = alarm_create(loop, on_alarm, a);
        return a;
}

void announcer_destroy(struct announcer **announcer)
{
        struct announcer *a = TAKE(*announcer);

        if (a == NULL)
                return;
        outbox_destroy(&a->outbox);
        alarm_destroy(&a->alarm);
        buffer_fini(&a->lines);
        free(a);
}
