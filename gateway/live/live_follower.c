/* SPDX-License-Identifier: Apache-2.0
 *
 * live_follower.c: a link that reads `events`, and publishes the messages by which it finds its
 * place.
 */
#include "gateway/live/live_follower.h"

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/uuid.h"
#include "common/model/event.h"

enum {
        PREFETCH = 1000,
        READ_BYTES = 16 * 1024 * 1024,
        TICK = 100,          /* ms, as what follows */
        MARKER_AGAIN = 1000, /* at least between two markers */
        SILENCE_MAX = 3000,  /* without the message that was read last: it is not there */
        QUIET_MAX = 5000,    /* without any message: a marker shows that the connection lives */
        STALL_MAX = 8000,    /* so long without one: it does not */
};

enum state {
        AWAY,      /* not subscribed */
        FINDING,   /* subscribed: the first message that comes tells the place */
        VERIFYING, /* subscribed where it was: that message must come */
        READING,
        REWOUND, /* to be subscribed anew */
};

struct live_follower {
        struct live_follower_events on;
        void *owner;
        struct link *link;
        struct subscription *subscription;
        struct alarm *tick;
        enum state state;
        bool known;          /* a message was read: */
        int64_t offset;      /* its offset */
        int64_t fingerprint; /* 0: it could not be read */
        char marker[UUID_SIZE];
        msec marked_at;   /* it was published; 0: it is to be */
        msec attached_at; /* VERIFYING: since then */
        msec read_at;     /* a message was read last */
};

/* Any message tells what it is to tell; its own comes at once. */
static void publish_marker(struct live_follower *f, msec now)
{
        struct err e = {0};

        if (!link_is_up(f->link) || (f->marked_at != 0 && now - f->marked_at < MARKER_AGAIN))
                return;
        uuid7(f->marker);
        const struct message m = {.exchange = bytes_of_text("events"),
                                  .routing_key = bytes_of_text(""),
                                  .type = bytes_of_text("probe"),
                                  /* of an empty batch of events */
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .message_id = bytes_of_text(f->marker),
                                  .timestamp = -1,
                                  .delivery_mode = 2,
                                  .mandatory = true,
                                  .body = bytes_of("", 0)};
        f->marked_at = now;
        if (link_publish(f->link, &m, NULL, &e) < 0)
                LOG_DEBUG("the live feed's marker was not published", log_err(&e));
}

/* The message after the last one cannot be read, and is passed over. */
static void pass_over(struct live_follower *f, int64_t unreadable)
{
        f->offset = unreadable;
        f->fingerprint = 0;
        f->on.lost(f->owner, false);
        f->on.begun(f->owner, unreadable);
        f->state = READING;
}

static enum source_start choose_start(void *owner, int64_t *offset)
{
        struct live_follower *f = owner;

        f->attached_at = f->read_at = clock_mono();
        f->marked_at = 0;
        if (!f->known) {
                f->state = FINDING;
                return SOURCE_NEXT;
        }
        int64_t unreadable =
                f->subscription != NULL ? subscription_unreadable(f->subscription, f->offset) : -1;
        if (unreadable >= 0)
                pass_over(f, unreadable);
        else
                f->state = f->fingerprint != 0 ? VERIFYING : READING;
        *offset = f->fingerprint != 0 ? f->offset : f->offset + 1;
        return SOURCE_OFFSET;
}

static void note_rewind(struct live_follower *f, const char *sign)
{
        LOG_WARN("the live feed: the event stream was rewound", log_text("sign", sign),
                 log_int("offset", f->offset));
        f->state = REWOUND;
        f->known = false;
        f->on.lost(f->owner, true);
}

static bool is_marker(const struct live_follower *f, const struct message *m)
{
        return f->marker[0] != '\0' && bytes_equal_text(m->message_id, f->marker);
}

/* True: the message is one to be read. */
static bool verify(struct live_follower *f, const struct delivery *d)
{
        if (d->offset > f->offset)
                return true; /* the last one is not there any more; see read_message */
        if (d->offset < f->offset) {
                if (is_marker(f, &d->message))
                        note_rewind(f, "new messages have lower offsets");
                return false;
        }
        if (message_fingerprint(&d->message) == f->fingerprint)
                f->state = READING;
        else
                note_rewind(f, "another message at the last offset");
        return false;
}

/* RabbitMQ uses one offset itself at the start of each segment (measured): one missing is no
 * loss. */
static void read_message(struct live_follower *f, const struct delivery *d)
{
        int64_t missing = f->known ? d->offset - f->offset - 1 : 0;
        bool begins = !f->known;

        if (f->known && d->offset <= f->offset)
                return;
        if (missing > 1 || f->state == VERIFYING) {
                LOG_WARN("the live feed: events are missing, the stream no longer holds them",
                         log_int("from", f->offset), log_int("to", d->offset));
                f->on.lost(f->owner, false);
                begins = true;
        }
        if (begins)
                f->on.begun(f->owner, d->offset - 1);
        f->state = READING;
        f->known = true;
        f->offset = d->offset;
        f->fingerprint = message_fingerprint(&d->message);
        f->on.message(f->owner, &d->message, d->offset);
}

static void on_delivery(void *owner, struct delivery *d)
{
        struct live_follower *f = owner;

        f->read_at = clock_mono();
        if (f->state == FINDING || f->state == READING || (f->state == VERIFYING && verify(f, d)))
                read_message(f, d);
        link_settle(&d, SETTLE_ACK);
}

static void subscribe(struct live_follower *f)
{
        const struct source s = {
                .queue = "events", .prefetch = PREFETCH, .stream = true, .start = choose_start};

        f->subscription = link_subscribe(f->link, &s, on_delivery, f);
}

static void on_tick(void *owner)
{
        struct live_follower *f = owner;
        msec now = clock_mono();

        if (f->state == VERIFYING && link_is_up(f->link) && now - f->attached_at >= SILENCE_MAX)
                note_rewind(f, "silence at the last offset");
        if (f->state == REWOUND) {
                link_unsubscribe(&f->subscription);
                f->state = AWAY;
                subscribe(f);
        }
        bool quiet = f->state == READING && now - f->read_at >= QUIET_MAX;
        if (f->state == FINDING || f->state == VERIFYING || quiet)
                publish_marker(f, now);
}

static void on_up(void *owner)
{
        struct live_follower *f = owner;

        f->attached_at = clock_mono();
        f->marked_at = 0;
        if (f->state == FINDING || f->state == VERIFYING)
                publish_marker(f, f->attached_at);
}

static void on_down(void *owner, const struct err *why)
{
        struct live_follower *f = owner;

        if (f->state == READING)
                LOG_WARN("the live feed cannot read the event stream", log_err(why));
        if (f->state != REWOUND)
                f->state = AWAY;
}

static void on_refused(void *owner, struct subscription *s, const struct err *why)
{
        (void)s;
        on_down(owner, why);
}

struct live_follower *live_follower_create(const struct link_config *link,
                                           const struct live_follower_events *on, void *owner,
                                           uv_loop_t *loop, struct err *e)
{
        static const struct link_events events = {
                .up = on_up, .down = on_down, .refused = on_refused};
        AUTO(live_follower) f = xcalloc(1, sizeof(*f));
        struct link_config own = *link;

        f->on = *on;
        f->owner = owner;
        own.stream = "events";
        own.read_bytes = READ_BYTES;
        own.resend = false;
        f->link = link_create(&own, &events, f, loop, e);
        if (f->link == NULL)
                return NULL;
        f->tick = alarm_create(loop, on_tick, f);
        alarm_set_every(f->tick, TICK);
        subscribe(f);
        return TAKE(f);
}

void live_follower_destroy(struct live_follower **follower)
{
        struct live_follower *f = TAKE(*follower);

        if (f == NULL)
                return;
        if (f->subscription != NULL)
                link_unsubscribe(&f->subscription);
        link_destroy(&f->link);
        alarm_destroy(&f->tick);
        free(f);
}

bool live_follower_is_reading(const struct live_follower *f)
{
        return f->state == READING && clock_mono() - f->read_at < STALL_MAX;
}
