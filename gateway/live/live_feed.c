/* SPDX-License-Identifier: Apache-2.0
 *
 * live_feed.c: puts the messages of the stream into the ring.
 */
#include "gateway/live/live_feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/pack.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/uuid.h"
#include "gateway/live/live_follower.h"
#include "gateway/live/live_types.h"

enum { RING_BYTES = 8 * 1024 * 1024 };
#define RING_AGE ((msec)10 * MSEC_SECOND)
/* A page that is loaded again finds its offset. */
#define STAY ((msec)10 * MSEC_SECOND)
#define RETRY_AFTER ((msec)1 * MSEC_SECOND)

struct live_feed {
        const struct link_config *link;
        struct live_feed_events on;
        void *owner;
        const struct live_meters *meters;
        uv_loop_t *loop;
        struct live_follower *follower; /* NULL: nobody wants events */
        struct live_types *types;       /* likewise */
        struct live_ring *ring;
        char name[LIVE_FEED_NAME_SIZE];
        bool begun;
        int64_t begun_at; /* the offset */
        /* The greatest offset that was read of the stream before it was rewound. An offset up to it
         * may be of either stream. -1: none. */
        int64_t unsure;
        msec wanted_at, failed_at;
        msec read_at; /* the stream was last seen to be read */
        /* While a message is read. */
        int64_t offset;
        msec now, wall;
        struct buffer json, masked;
};

const char *live_gap_word(enum live_gap gap)
{
        static const char *const words[LIVE_GAP_COUNT] = {
                [LIVE_GAP_RESTARTED] = "restarted", [LIVE_GAP_OLD_OFFSET] = "old_offset",
                [LIVE_GAP_REWOUND] = "rewound",     [LIVE_GAP_BEHIND] = "behind",
                [LIVE_GAP_BROKER] = "broker",
        };

        return words[gap];
}

static void on_begun(void *owner, int64_t offset)
{
        struct live_feed *f = owner;

        live_ring_begin(f->ring, offset);
        f->begun = true;
        f->begun_at = offset;
        f->on.begun(f->owner);
}

static void on_lost(void *owner, bool rewound)
{
        struct live_feed *f = owner;

        if (!f->begun)
                return;
        if (rewound && live_ring_head(f->ring) > f->unsure)
                f->unsure = live_ring_head(f->ring);
        f->on.gap(f->owner, rewound ? LIVE_GAP_REWOUND : LIVE_GAP_BEHIND);
}

static void add_event(void *owner, const struct event *e)
{
        struct live_feed *f = owner;
        struct live_entry entry = {.offset = f->offset, .read_at = f->now};

        if (!live_tags_of(e, &entry.tags))
                return;
        live_types_complete(f->types, &entry.tags);
        buffer_clear(&f->json);
        live_event_write(e, &entry.tags, f->wall, false, &f->json);
        entry.json = entry.masked = buffer_bytes(&f->json);
        if (entry.tags.quotes) {
                buffer_clear(&f->masked);
                live_event_write(e, &entry.tags, f->wall, true, &f->masked);
                entry.masked = buffer_bytes(&f->masked);
        }
        live_ring_add(f->ring, &entry);
        metric_increment(f->meters->events, 1);
}

static void add_message(void *owner, const struct message *m)
{
        /* Whoever handles a job judges its size. */
        static const struct job_limits limits = {.payload_max = SIZE_MAX};
        uint64_t skipped = 0;

        events_of_message(m, &limits, add_event, owner, &skipped);
}

static void on_message(void *owner, const struct message *m, int64_t offset)
{
        struct live_feed *f = owner;
        uint64_t skipped = 0;

        f->offset = offset;
        f->now = clock_mono();
        f->wall = clock_wall();
        if (m->body.length > 0) /* not a probe */
                pack_each(m, add_message, f, &skipped);
        live_ring_reach(f->ring, offset);
        live_ring_trim(f->ring, f->now, f->on.dropped, f->owner);
}

struct live_feed *live_feed_create(const struct link_config *link,
                                   const struct live_feed_events *on, void *owner,
                                   const struct live_meters *meters, uv_loop_t *loop)
{
        struct live_feed *f = xcalloc(1, sizeof(*f));

        f->link = link;
        f->on = *on;
        f->owner = owner;
        f->meters = meters;
        f->loop = loop;
        f->unsure = -1;
        f->ring = live_ring_create(RING_BYTES, RING_AGE);
        return f;
}

static void stop(struct live_feed *f)
{
        live_follower_destroy(&f->follower);
        live_types_destroy(&f->types);
        live_ring_begin(f->ring, -1);
        f->begun = false;
}

void live_feed_destroy(struct live_feed **feed)
{
        struct live_feed *f = TAKE(*feed);

        if (f == NULL)
                return;
        stop(f);
        live_ring_destroy(&f->ring);
        buffer_fini(&f->json);
        buffer_fini(&f->masked);
        free(f);
}

static void choose_name(struct live_feed *f)
{
        uint64_t number;

        random_fill(&number, sizeof(number));
        snprintf(f->name, sizeof(f->name), "%016" PRIx64, number);
}

static void start(struct live_feed *f, msec now)
{
        static const struct live_follower_events on = {
                .begun = on_begun, .message = on_message, .lost = on_lost};
        struct err why = {0};

        if (f->failed_at != 0 && now - f->failed_at < RETRY_AFTER)
                return;
        f->read_at = now;
        choose_name(f);
        f->types = live_types_create();
        f->follower = live_follower_create(f->link, &on, f, f->loop, &why);
        if (f->follower != NULL)
                return;
        live_types_destroy(&f->types);
        f->failed_at = now;
        LOG_ERROR("the live feed cannot begin", log_err(&why));
}

void live_feed_tick(struct live_feed *f, bool clients, msec now)
{
        if (clients)
                f->wanted_at = now;
        if (clients && f->follower == NULL)
                start(f, now);
        if (f->follower == NULL)
                return;
        if (live_follower_is_reading(f->follower))
                f->read_at = now;
        live_ring_trim(f->ring, now, f->on.dropped, f->owner);
        if (now - f->wanted_at > STAY)
                stop(f);
}

bool live_feed_is_running(const struct live_feed *f)
{
        return f->follower != NULL;
}

bool live_feed_has_begun(const struct live_feed *f)
{
        return f->begun;
}

msec live_feed_silent_for(const struct live_feed *f, msec now)
{
        return f->follower != NULL && live_follower_is_reading(f->follower) ? 0 : now - f->read_at;
}

const struct live_ring *live_feed_ring(const struct live_feed *f)
{
        return f->ring;
}

const char *live_feed_name(const struct live_feed *f)
{
        return f->name;
}

bool live_feed_continues(const struct live_feed *f, const char *name, int64_t offset,
                         enum live_gap *why)
{
        bool other = name[0] != '\0' && strcmp(name, f->name) != 0;

        if (offset > live_ring_head(f->ring) || offset <= f->unsure)
                *why = LIVE_GAP_REWOUND;
        else if (other || offset < f->begun_at)
                *why = LIVE_GAP_RESTARTED;
        else
                *why = LIVE_GAP_OLD_OFFSET;
        return !other && offset > f->unsure && live_ring_covers(f->ring, offset);
}
