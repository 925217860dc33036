/* SPDX-License-Identifier: Apache-2.0
 *
 * catch_up.c: reads a stream until its own marker comes.
 */
#include "common/clients/catch_up.h"

#include <assert.h>
#include <string.h>

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/record.h"

#define MARKER_AGAIN ((msec)2000)
#define MARKER_AGAIN_MAX ((msec)MSEC_MINUTE)

struct catch_up {
        struct catch_up_events on;
        void *owner;
        const char *stream;
        bool every_connection;

        char marker[UUID_SIZE]; /* id of the marker to wait for */
        msec again;             /* until it is published again */
        bool caught_up;
        bool refused; /* the stream is not read, nor was found again: no marker would be read */
        struct link *reader;
        struct subscription *subscription;
        struct link *marker_link; /* NULL when no longer needed */
        struct alarm *alarm;      /* NULL when no longer needed */
        bool marker_in_flight;
        bool earlier_in_flight; /* it is that of an earlier marker */
};

static void end_marking(struct catch_up *c)
{
        alarm_destroy(&c->alarm);
        link_destroy(&c->marker_link);
}

static void become_caught_up(struct catch_up *c)
{
        c->caught_up = true;
        if (c->every_connection)
                alarm_stop(c->alarm);
        else
                end_marking(c);
        c->on.caught_up(c->owner);
}

static bool is_own_marker(const struct catch_up *c, const struct message *m)
{
        struct record record;
        struct err e = {0};

        return record_parse(m->body, &record, &e) == 0 && record.kind == RECORD_SYNC &&
               strcmp(record.sync, c->marker) == 0;
}

static void on_message(void *owner, struct delivery *d)
{
        struct catch_up *c = owner;
        const struct message *m = &d->message;

        if (!c->caught_up && is_own_marker(c, m)) {
                link_settle(&d, SETTLE_ACK);
                become_caught_up(c);
                return;
        }
        if (m->body.length > 0) /* not a link's probe */
                c->on.message(c->owner, m);
        link_settle(&d, SETTLE_ACK);
}

/* The stream exists: its subscription begins. */
static enum source_start from_first(void *owner, int64_t *offset)
{
        struct catch_up *c = owner;

        (void)offset;
        c->refused = false;
        return SOURCE_FIRST;
}

static void on_marker_done(void *owner, enum link_result result)
{
        struct catch_up *c = owner;

        (void)result; /* the alarm publishes again until the marker was read */
        c->marker_in_flight = false;
        if (c->earlier_in_flight && c->alarm != NULL && !c->caught_up)
                alarm_set(c->alarm, 0);
        c->earlier_in_flight = false;
}

static void publish_marker(void *owner)
{
        struct catch_up *c = owner;
        AUTO_BUFFER body = {0};
        struct record record = {.kind = RECORD_SYNC};
        const struct publish_wait done = {.done = on_marker_done, .owner = c};
        struct err e = {0};

        alarm_set(c->alarm, c->again);
        if (c->refused || c->marker_in_flight || !link_is_up(c->marker_link))
                return;
        memcpy(record.sync, c->marker, sizeof(record.sync));
        record_write(&record, &body);
        struct message m = {
                .exchange = bytes_of_text("sync"),
                .routing_key = bytes_of_text(""),
                .message_id = bytes_of_text(c->marker),
                .content_type = bytes_of_text("application/json"),
                .delivery_mode = 2,
                .body = buffer_bytes(&body),
        };
        c->marker_in_flight = true;
        c->again = c->again < MARKER_AGAIN_MAX / 2 ? c->again * 2 : MARKER_AGAIN_MAX;
        if (link_publish(c->marker_link, &m, &done, &e) < 0) {
                c->marker_in_flight = false;
                LOG_DEBUG("the marker was not published", log_err(&e));
        }
}

static void begin_marking(struct catch_up *c)
{
        uuid7(c->marker);
        c->again = MARKER_AGAIN;
        c->earlier_in_flight = c->marker_in_flight;
        alarm_set(c->alarm, 0);
}

static void on_marker_up(void *owner)
{
        struct catch_up *c = owner;

        if (c->alarm != NULL && !c->caught_up)
                alarm_set(c->alarm, 0);
}

/* What is published from now on is not read. */
static void lose(struct catch_up *c)
{
        if (!c->every_connection || !c->caught_up)
                return;
        c->caught_up = false;
        begin_marking(c);
        if (c->on.lost != NULL)
                c->on.lost(c->owner);
}

static void on_reader_down(void *owner, const struct err *why)
{
        (void)why;
        lose(owner);
}

/* Or the broker has cancelled the subscription; the connection is up. */
static void on_refused(void *owner, struct subscription *s, const struct err *why)
{
        struct catch_up *c = owner;

        (void)s;
        LOG_WARN("a stream cannot be read and is tried again", log_text("stream", c->stream),
                 log_err(why));
        c->refused = true;
        lose(c);
}

static int start_reading(struct catch_up *c, const struct catch_up_config *config, uv_loop_t *loop,
                         struct err *e)
{
        static const struct link_events on = {.down = on_reader_down, .refused = on_refused};
        AUTO_FREE char *name = xasprintf("%s %s", config->link->name, c->stream);
        struct link_config own = *config->link;
        const struct source source = {.queue = c->stream,
                                      .prefetch = config->prefetch,
                                      .stream = true,
                                      .start = from_first};

        own.name = name;
        own.stream = NULL;
        c->reader = link_create(&own, &on, c, loop, e);
        if (c->reader == NULL)
                return -1;
        c->subscription = link_subscribe(c->reader, &source, on_message, c);
        return 0;
}

static int start_marking(struct catch_up *c, const struct catch_up_config *config, uv_loop_t *loop,
                         struct err *e)
{
        static const struct link_events on = {.up = on_marker_up};
        AUTO_FREE char *name = xasprintf("%s marker", config->link->name);
        struct link_config own = *config->link;

        own.name = name;
        own.stream = "control"; /* see feed.h: `sync` counts as its exchange */
        own.unprobed = true;
        own.resend = false;
        c->alarm = alarm_create(loop, publish_marker, c);
        c->marker_link = link_create(&own, &on, c, loop, e);
        if (c->marker_link == NULL)
                return -1;
        begin_marking(c);
        return 0;
}

struct catch_up *catch_up_create(const struct catch_up_config *config,
                                 const struct catch_up_events *on, void *owner, uv_loop_t *loop,
                                 struct err *e)
{
        AUTO(catch_up) c = xcalloc(1, sizeof(*c));

        c->on = *on;
        c->owner = owner;
        c->stream = config->stream;
        c->every_connection = config->every_connection;
        if (start_reading(c, config, loop, e) < 0 || start_marking(c, config, loop, e) < 0)
                return NULL;
        return TAKE(c);
}

void catch_up_again(struct catch_up *c)
{
        assert(c->every_connection);
        c->caught_up = false;
        begin_marking(c);
}

bool catch_up_is_up(const struct catch_up *c)
{
        return link_is_up(c->reader);
}

void catch_up_destroy(struct catch_up **catch_up)
{
        struct catch_up *c = TAKE(*catch_up);

        if (c == NULL)
                return;
        link_unsubscribe(&c->subscription);
        link_destroy(&c->reader);
        end_marking(c);
        free(c);
}
