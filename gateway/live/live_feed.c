/* SPDX-License-Identifier: Apache-2.0
 *
 * live_feed.c: puts the messages of the stream into the ring.
 */
#include "gateway/live/live_feed.h"

#include <stdlib.h>

#include "common/amqp/pack.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/own.h"
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
        bool begun;
        int64_t begun_at; /* the offset */
        msec wanted_at;
        msec failed_at; /* the last try to begin; 0: none failed since there were no clients */
        msec read_at;   /* the stream was last seen to be read */
        /* While a message is read. */
        int64_t offset;
        uint64_t skipped;
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
        f->on.gap(f->owner, rewound ? LIVE_GAP_REWOUND : LIVE_GAP_BEHIND);
        if (rewound) /* what the ring has is of no stream; not rewound: on_begun follows at once */
                f->begun = false;
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
        struct live_feed *f = owner;

        events_of_message(m, &limits, add_event, f, &f->skipped);
}

/* A JSON number that every reader takes unchanged. */
static int64_t mark_of(const struct message *m)
{
        return (int64_t)((uint64_t)message_fingerprint(m) >> 11);
}

static void on_message(void *owner, const struct message *m, int64_t offset)
{
        struct live_feed *f = owner;

        f->offset = offset;
        f->skipped = 0;
        f->now = clock_mono();
        f->wall = clock_wall();
        if (m->body.length > 0) /* not a probe */
                pack_each(m, add_message, f, &f->skipped);
        metric_increment(f->meters->skipped, (double)f->skipped);
        live_ring_reach(f->ring, offset, mark_of(m));
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

static void start(struct live_feed *f, msec now)
{
        static const struct live_follower_events on = {
                .begun = on_begun, .message = on_message, .lost = on_lost};
        struct err why = {0};

        if (f->failed_at != 0 && now - f->failed_at < RETRY_AFTER)
                return;
        if (f->failed_at == 0)
                f->read_at = now;
        f->types = live_types_create();
        f->follower = live_follower_create(f->link, &on, f, f->loop, &why);
        f->failed_at = f->follower != NULL ? 0 : now;
        if (f->follower != NULL)
                return;
        live_types_destroy(&f->types);
        LOG_ERROR("the live feed cannot begin", log_err(&why));
}

void live_feed_tick(struct live_feed *f, bool wanted, msec now)
{
        if (wanted)
                f->wanted_at = now;
        else
                f->failed_at = 0;
        if (wanted && f->follower == NULL)
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

bool live_feed_continues(const struct live_feed *f, int64_t offset, int64_t mark,
                         enum live_gap *why)
{
        int64_t known = live_ring_mark(f->ring, offset);

        if (offset > live_ring_head(f->ring) || (mark != 0 && known != 0 && known != mark))
                *why = LIVE_GAP_REWOUND;
        else if (offset <= f->begun_at)
                *why = LIVE_GAP_RESTARTED;
        else
                *why = LIVE_GAP_OLD_OFFSET;
        return live_ring_covers(f->ring, offset) && (mark == 0 || known == mark);
}
