/* SPDX-License-Identifier: Apache-2.0
 *
 * follower.c: folds stream `events` in batches, and detects when it was rewound.
 */
#include "status-store/projection/follower.h"

#include <inttypes.h>

#include "common/base/alarm.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum {
        PREFETCH = 1000,
        BATCH_MESSAGES = 2000,
        BATCH_BYTES = 8 * 1024 * 1024,
        BATCH_AGE = 50, /* ms between commits while messages keep coming */
        TICK = 50,
        RETENTION_EVERY = 60 * MSEC_SECOND,
        KEEP_EVERY = 60 * MSEC_SECOND,
        RETRY_AFTER = 1000, /* ms after a write that failed */
        /* A tenant may publish messages of 1 MiB: a prefetch of those is 1 GB. Messages of the
         * usual size, about 1 KiB, never reach this limit. */
        READ_BYTES = 16 * 1024 * 1024,
};
/* After so long without a message, the stream has been read to its end. */
#define QUIET ((msec)200)
/* The first message after attaching may take longer. */
#define QUIET_AT_FIRST ((msec)1000)

enum follow_state {
        FOLLOW_AWAY,      /* not attached */
        FOLLOW_VERIFYING, /* attached at the stored offset; its message must come */
        FOLLOW_FOLDING,
        FOLLOW_REWOUND, /* the position must be set back to before the start */
        FOLLOW_BROKEN,  /* a write failed; the stream is read again from the stored offset */
};

struct follower {
        struct projection *projection;
        struct retention *retention;
        struct minutes_kept *kept;
        struct freshness *freshness;
        msec silence;

        struct link *link;
        struct subscription *subscription;
        _Atomic(enum follow_state) state; /* written on the loop's thread */
        bool heard;                       /* a message has come since attaching */
        msec attached_at, heard_at, committed_at, broken_at, retained_at;
        msec kept_at;     /* 0: not yet */
        int64_t unsaved;  /* the oldest minute counted in since the last save */
        uv_check_t check; /* runs after the deliveries of one turn of the loop */
        struct alarm *tick, *wake;
};

static void commit(void *owner)
{
        struct follower *f = owner;
        struct err why = {0};
        if (projection_messages(f->projection) == 0)
                return;
        f->committed_at = clock_mono();
        if (projection_commit(f->projection, &why) == 0) {
                freshness_reached(f->freshness, projection_position(f->projection)->clock,
                                  clock_wall());
                return;
        }
        LOG_ERROR("status not written; the events are read again from the stream", log_err(&why));
        f->state = FOLLOW_BROKEN;
        f->broken_at = f->committed_at;
}

static enum source_start choose_start(void *owner, int64_t *offset)
{
        struct follower *f = owner;
        commit(f);
        const struct position *p = projection_position(f->projection);
        f->attached_at = f->heard_at = clock_mono();
        f->heard = false;
        int64_t unreadable =
                f->subscription == NULL
                        ? -1
                        : subscription_unreadable(f->subscription, p->known ? p->offset : -1);
        /* After an unreadable message there may be none yet: silence is no sign of a rewind. */
        f->state = p->known && unreadable < 0 ? FOLLOW_VERIFYING : FOLLOW_FOLDING;
        if (!p->known && unreadable < 0)
                return SOURCE_FIRST;
        *offset = unreadable < 0 ? p->offset : unreadable + 1;
        return SOURCE_OFFSET;
}

static void note_rewind(struct follower *f, const char *sign)
{
        LOG_WARN("the event stream was rewound; it is folded from its start, and the rows stay",
                 log_text("sign", sign),
                 log_int("offset", projection_position(f->projection)->offset));
        f->state = FOLLOW_REWOUND;
}

static void note_gap(struct follower *f, int64_t from, int64_t to)
{
        LOG_WARN("events are missing: the stream no longer holds them", log_int("from", from),
                 log_int("to", to));
        projection_note_gap(f->projection, from, to);
}

/* True when the stream goes on: d is the last message folded, or a later one. */
static bool verify(struct follower *f, const struct delivery *d)
{
        const struct position *p = projection_position(f->projection);
        if (d->offset < p->offset)
                return false;
        if (d->offset == p->offset && p->hash != 0 && message_fingerprint(&d->message) != p->hash) {
                note_rewind(f, "another message at the stored offset");
                return false;
        }
        f->state = FOLLOW_FOLDING;
        return true;
}

/* RabbitMQ uses one offset itself at the start of each segment (measured): one missing is no gap.
 */
static void fold(struct follower *f, const struct delivery *d, bool first)
{
        const struct position *next = projection_next(f->projection);
        if (next->known && d->offset <= next->offset)
                return;
        int64_t missing = next->known ? d->offset - next->offset - 1 : 0;
        if (missing > (first ? 0 : 1))
                note_gap(f, next->offset + 1, d->offset - 1);
        projection_fold(f->projection, &d->message, d->offset);
}

/* Folding copies the message, so it is acked at once. On a stream an ack only asks for more: the
 * position is the offset in the database. */
static void on_delivery(void *owner, struct delivery *d)
{
        struct follower *f = owner;
        bool first = !f->heard;
        f->heard = true;
        f->heard_at = clock_mono();
        freshness_behind(f->freshness);
        if (f->state == FOLLOW_FOLDING || (f->state == FOLLOW_VERIFYING && verify(f, d)))
                fold(f, d, first);
        link_settle(&d, SETTLE_ACK);
        if (projection_messages(f->projection) >= BATCH_MESSAGES ||
            projection_bytes(f->projection) >= BATCH_BYTES)
                commit(f);
}

/* A lone message is written at once; under load, a batch every BATCH_AGE. */
static void on_check(uv_check_t *check)
{
        struct follower *f = check->data;
        if (projection_messages(f->projection) == 0)
                return;
        msec age = clock_mono() - f->committed_at;
        if (age >= BATCH_AGE)
                commit(f);
        else if (!alarm_is_set(f->wake))
                alarm_set(f->wake, BATCH_AGE - age);
}

static void subscribe(struct follower *f)
{
        const struct source s = {
                .queue = "events", .prefetch = PREFETCH, .stream = true, .start = choose_start};
        f->subscription = link_subscribe(f->link, &s, on_delivery, f);
}

static void restart(struct follower *f)
{
        struct err why = {0};
        if (f->subscription != NULL)
                link_unsubscribe(&f->subscription);
        if (f->state == FOLLOW_REWOUND && projection_rewind(f->projection, &why) != 0) {
                LOG_ERROR("the rewind was not written", log_err(&why));
                f->broken_at = clock_mono();
                return;
        }
        projection_forget(f->projection);
        f->state = FOLLOW_AWAY;
        subscribe(f);
}

static void watch_silence(struct follower *f, msec now)
{
        if (!link_is_up(f->link))
                return;
        if (f->state == FOLLOW_VERIFYING && now - f->heard_at >= f->silence)
                note_rewind(f, "silence at the stored offset");
        bool quiet = now - f->heard_at >= (f->heard ? QUIET : QUIET_AT_FIRST);
        if (f->state == FOLLOW_FOLDING && quiet && projection_messages(f->projection) == 0)
                freshness_drained(f->freshness, clock_wall());
}

static void retain(struct follower *f, msec now)
{
        struct err why = {0};
        if (now - f->retained_at < RETENTION_EVERY)
                return;
        /* Retention needs a transaction of its own, and under load a batch is always open. */
        commit(f);
        if (f->state == FOLLOW_BROKEN)
                return;
        int more = retention_step(f->retention, clock_wall(), &why);
        if (more < 0)
                LOG_WARN("old jobs not deleted", log_err(&why));
        if (more != 1)
                f->retained_at = now;
}

/* What is open in the batch is not in the tables yet. */
static void keep_minutes(struct follower *f)
{
        struct err why = {0};
        int64_t oldest = projection_take_oldest_minute(f->projection);
        f->unsaved = oldest < f->unsaved ? oldest : f->unsaved;
        if (minutes_kept_save(f->kept, f->unsaved, &why) == 0)
                f->unsaved = INT64_MAX;
        else
                LOG_WARN("the copy of the statistics was not written", log_err(&why));
}

static void on_tick(void *owner)
{
        struct follower *f = owner;
        msec now = clock_mono();
        watch_silence(f, now);
        if (f->state == FOLLOW_REWOUND || f->state == FOLLOW_BROKEN) {
                if (f->broken_at == 0 || now - f->broken_at >= RETRY_AFTER)
                        restart(f);
                return;
        }
        retain(f, now);
        if (f->kept_at == 0 || now - f->kept_at >= KEEP_EVERY) {
                f->kept_at = now;
                keep_minutes(f);
        }
}

static void on_up(void *owner)
{
        struct follower *f = owner;
        f->attached_at = f->heard_at = clock_mono();
        LOG_INFO("following the event stream",
                 log_int("offset", projection_position(f->projection)->offset));
}

static void on_down(void *owner, const struct err *why)
{
        struct follower *f = owner;
        freshness_behind(f->freshness);
        if (f->state == FOLLOW_VERIFYING || f->state == FOLLOW_FOLDING)
                f->state = FOLLOW_AWAY;
        LOG_WARN("event stream lost", log_err(why));
}

static void on_refused(void *owner, struct subscription *s, const struct err *why)
{
        (void)s;
        on_down(owner, why);
}

struct follower *follower_create(const struct follower_config *c, uv_loop_t *loop, struct err *e)
{
        static const struct link_events events = {
                .up = on_up, .down = on_down, .refused = on_refused};
        AUTO(follower) f = xcalloc(1, sizeof(*f));
        f->projection = c->projection;
        f->retention = c->retention;
        f->kept = c->kept;
        f->unsaved = INT64_MAX;
        f->freshness = c->freshness;
        f->silence = c->silence;
        struct link_config link = c->link;
        link.read_bytes = READ_BYTES;
        f->link = link_create(&link, &events, f, loop, e);
        if (f->link == NULL)
                return NULL;
        uv_check_init(loop, &f->check);
        f->check.data = f;
        uv_check_start(&f->check, on_check);
        f->wake = alarm_create(loop, commit, f);
        f->tick = alarm_create(loop, on_tick, f);
        alarm_set_every(f->tick, TICK);
        subscribe(f);
        return TAKE(f);
}

static void on_closed(uv_handle_t *handle)
{
        free(handle->data);
}

void follower_destroy(struct follower **follower)
{
        struct follower *f = TAKE(*follower);
        if (f == NULL)
                return;
        if (f->subscription != NULL)
                link_unsubscribe(&f->subscription);
        if (f->link != NULL)
                link_destroy(&f->link);
        commit(f);
        keep_minutes(f);
        if (f->tick == NULL) { /* half-built */
                free(f);
                return;
        }
        alarm_destroy(&f->tick);
        alarm_destroy(&f->wake);
        uv_close((uv_handle_t *)&f->check, on_closed);
}

bool follower_is_ready(const struct follower *f, struct err *why)
{
        static const char *const reasons[] = {
                [FOLLOW_AWAY] =
                        ("stream events cannot be read: if it stays so, `warren doctor` says "
                         "what is missing"),
                [FOLLOW_VERIFYING] = "waiting for the last folded message of stream events",
                [FOLLOW_REWOUND] = "the event stream was rewound",
                [FOLLOW_BROKEN] = "the status database cannot be written",
        };
        enum follow_state state = f->state;
        if (state == FOLLOW_FOLDING)
                return link_is_ready(f->link, why);
        (void)err_set(why, ERR_UNAVAILABLE, "%s", reasons[state]);
        return false;
}
