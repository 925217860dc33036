/* SPDX-License-Identifier: Apache-2.0
 *
 * live_client.c: what a client is told, in this order: hello, its filter, a gap, events left out,
 * events. What does not fit is tried again.
 */
#include "gateway/live/live_client.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"

#define SLOW_FOR_MAX ((msec)10 * MSEC_SECOND)
#define OFFSET_EVERY ((msec)1 * MSEC_SECOND) /* of a frame without events */
#define DROPPED_EVERY ((msec)1 * MSEC_SECOND)
#define AWAY_AFTER ((msec)2 * MSEC_SECOND)
enum { UNKNOWN = -1 }; /* an offset */

struct live_client {
        struct websockets *pool;
        const struct live_meters *meters;
        struct live_asked asked;
        struct live_filter *filter; /* that of `asked` */
        uint64_t socket;
        msec opened_at;
        bool greeted, held, closing;
        uint64_t next; /* the event to be told next */
        int64_t told;  /* it has all up to this offset, or knows of the gap */
        msec told_at;
        msec full_since; /* 0: the last events or counts fitted */
        size_t refused;  /* bytes of the events that did not fit last; 0: they did */
        uint64_t dropped;
        msec dropped_at; /* when it was told last */
        bool filter_due;
        bool away_told;
        struct {
                bool due;
                enum live_gap why;
                int64_t from, to;
        } gap;
};

struct live_client *live_client_create(struct live_asked *asked, struct websockets *pool,
                                       const struct live_meters *meters)
{
        struct live_client *c = xcalloc(1, sizeof(*c));

        c->asked = *asked;
        c->filter = &c->asked.filter;
        asked->filter = (struct live_filter){.tenant = "*"};
        c->pool = pool;
        c->meters = meters;
        c->told = UNKNOWN;
        return c;
}

void live_client_destroy(struct live_client **client)
{
        struct live_client *c = TAKE(*client);

        if (c == NULL)
                return;
        live_filter_fini(c->filter);
        free(c);
}

void live_client_open(struct live_client *c, uint64_t socket, msec now)
{
        c->socket = socket;
        c->opened_at = now;
}

const struct live_viewer *live_client_viewer(const struct live_client *c)
{
        return &c->asked.viewer;
}

bool live_client_wants_events(const struct live_client *c)
{
        return !c->filter->counts;
}

const struct live_filter *live_client_counts(const struct live_client *c)
{
        return c->greeted && c->filter->counts ? c->filter : NULL;
}

/* True: it was sent. */
static bool say(struct live_client *c, struct bytes text)
{
        struct err e = {0};

        if (c->closing)
                return false;
        if (websockets_send(c->pool, c->socket, text, &e) == 0)
                return true;
        c->closing = e.code == ERR_NOT_FOUND;
        return false;
}

/* As say, for events and counts, by which a client is judged: it is slow while they do not fit. */
static bool say_much(struct live_client *c, struct bytes text, msec now)
{
        bool said = say(c, text);

        if (said)
                c->full_since = 0;
        else if (c->full_since == 0)
                c->full_since = now;
        return said;
}

void live_client_say(struct live_client *c, struct bytes text, msec now)
{
        if (!c->held)
                (void)say_much(c, text, now);
}

void live_client_hold(struct live_client *c, bool hold)
{
        c->held = hold;
}

void live_client_end(struct live_client *c)
{
        if (c->closing)
                return;
        c->closing = true;
        websockets_abandon(c->pool, c->socket, LIVE_CLOSE_KEY);
}

static void put_offset(struct buffer *out, const char *name, int64_t offset)
{
        if (offset == UNKNOWN)
                json_put_null(out, name);
        else
                json_put_int(out, name, offset);
}

static void note_gap(struct live_client *c, enum live_gap why, int64_t from, int64_t to)
{
        if (!c->gap.due)
                c->gap.from = from;
        c->gap.due = true;
        c->gap.why = why;
        c->gap.to = to;
}

static bool say_gap(struct live_client *c)
{
        AUTO_BUFFER text = {0};

        if (!c->gap.due)
                return true;
        json_begin(&text);
        json_begin_object(&text, "gap");
        put_offset(&text, "from", c->gap.from);
        put_offset(&text, "to", c->gap.to);
        json_put_string(&text, "why", live_gap_word(c->gap.why));
        json_end(&text);
        json_end(&text);
        if (!say(c, buffer_bytes(&text)))
                return false;
        c->gap.due = false;
        metric_increment(c->meters->gaps, 1, live_gap_word(c->gap.why));
        return true;
}

static bool say_hello(struct live_client *c, const struct live_feed *feed, bool resumed, msec now)
{
        AUTO_BUFFER text = {0};

        json_begin(&text);
        json_begin_object(&text, "hello");
        live_frame_put_place(&text, live_feed_ring(feed), c->told);
        json_put_string(&text, "tenant", c->filter->tenant);
        json_put_string(&text, "mode", c->filter->counts ? "counts" : "events");
        json_put_flag(&text, "resumed", resumed);
        json_end(&text);
        json_end(&text);
        c->greeted = say(c, buffer_bytes(&text));
        c->told_at = now;
        return c->greeted;
}

/* Places it behind what it has, if the feed has all that follows; else at the head, and what it
 * asked for is a gap. True: it resumes. */
static bool join(struct live_client *c, const struct live_feed *feed)
{
        const struct live_ring *ring = live_feed_ring(feed);
        enum live_gap why;

        c->next = live_ring_end(ring);
        c->told = live_ring_head(ring);
        if (!c->asked.resumes)
                return false;
        if (!live_feed_continues(feed, c->asked.offset, c->asked.mark, &why)) {
                note_gap(c, why, c->asked.offset, c->told);
                return false;
        }
        c->next = live_ring_after(ring, c->asked.offset);
        c->told = c->asked.offset;
        return true;
}

/* Whether the feed has come to where the client is: another gateway may have told it more than this
 * one has read so far. */
static bool is_reached(const struct live_client *c, const struct live_feed *feed)
{
        return !c->asked.resumes || c->asked.offset <= live_ring_head(live_feed_ring(feed));
}

/* For counts the stream need not be read. */
static bool greet_counting(struct live_client *c, const struct live_feed *feed, msec now)
{
        c->asked.resumes = false;
        if (live_feed_has_begun(feed))
                (void)join(c, feed);
        return say_hello(c, feed, false, now);
}

/* False: it is not greeted. */
static bool greet(struct live_client *c, const struct live_feed *feed, msec now)
{
        bool waits = now - c->opened_at < AWAY_AFTER;

        if (c->greeted)
                return true;
        if (c->filter->counts)
                return greet_counting(c, feed, now);
        if (waits && (!live_feed_has_begun(feed) || !is_reached(c, feed)))
                return false;
        if (!live_feed_has_begun(feed))
                return say_hello(c, feed, false, now);
        c->gap.due = false; /* of a hello that was not sent */
        return say_hello(c, feed, join(c, feed), now);
}

void live_client_gap(struct live_client *c, enum live_gap why, const struct live_ring *ring)
{
        if (!c->greeted)
                return;
        note_gap(c, why, c->told, UNKNOWN);
        c->next = live_ring_end(ring);
        c->told = live_ring_head(ring);
}

void live_client_begun(struct live_client *c, const struct live_feed *feed)
{
        const struct live_ring *ring = live_feed_ring(feed);

        if (!c->greeted)
                return;
        if (c->told == UNKNOWN)
                (void)join(c, feed);
        c->next = live_ring_end(ring);
        c->told = live_ring_head(ring);
        if (c->gap.due)
                c->gap.to = c->told;
}

void live_client_dropped(struct live_client *c, uint64_t seq, const struct live_entry *e)
{
        if (!c->greeted || c->closing || c->next > seq)
                return;
        c->next = seq + 1;
        if (c->filter->counts || !live_filter_matches(c->filter, &e->tags))
                return;
        c->dropped++;
        metric_increment(c->meters->dropped, 1);
}

uint64_t live_client_next(const struct live_client *c)
{
        return c->greeted && !c->closing ? c->next : UINT64_MAX;
}

/* Once in each time that the stream cannot be read. */
static void look_for_silence(struct live_client *c, const struct live_feed *feed, msec now)
{
        msec silent = live_feed_silent_for(feed, now);

        if (silent == 0)
                c->away_told = false;
        if (silent < AWAY_AFTER || c->away_told)
                return;
        c->away_told = true;
        note_gap(c, LIVE_GAP_BROKER, c->told, UNKNOWN);
}

static bool say_filter(struct live_client *c)
{
        AUTO_BUFFER text = {0};

        if (!c->filter_due)
                return true;
        json_begin(&text);
        live_filter_write(c->filter, "filter", &text);
        json_end(&text);
        c->filter_due = !say(c, buffer_bytes(&text));
        return !c->filter_due;
}

static bool say_dropped(struct live_client *c, msec now)
{
        AUTO_BUFFER text = {0};

        if (c->dropped == 0)
                return true;
        if (now - c->dropped_at < DROPPED_EVERY)
                return false;
        json_begin(&text);
        json_put_int(&text, "dropped", (int64_t)c->dropped);
        json_end(&text);
        if (!say(c, buffer_bytes(&text)))
                return false;
        c->dropped = 0;
        c->dropped_at = now;
        return true;
}

/* A frame without events, so that the client can resume from there. */
static bool say_offset(struct live_client *c, const struct live_ring *ring, int64_t offset,
                       msec now)
{
        AUTO_BUFFER text = {0};

        if (offset <= c->told || now - c->told_at < OFFSET_EVERY)
                return false;
        json_begin(&text);
        live_frame_put_place(&text, ring, offset);
        json_begin_array(&text, "events");
        json_end_array(&text);
        json_end(&text);
        return say(c, buffer_bytes(&text));
}

static void say_events(struct live_client *c, const struct live_ring *ring,
                       struct live_frames *frames, msec now)
{
        const struct live_wanted wanted = {
                .next = c->next, .filter = c->filter, .masked = c->asked.viewer.masked};

        if (c->refused > 0 && !websockets_has_room(c->pool, c->socket, c->refused))
                return; /* no frame is made in vain, ten times a second */
        const struct live_frame *f = live_frames_get(frames, ring, &wanted);
        bool said = f->count > 0 ? say_much(c, buffer_bytes(&f->text), now)
                                 : say_offset(c, ring, f->offset, now);
        if (said) {
                c->told = f->offset;
                c->told_at = now;
        }
        bool took = said || f->count == 0;
        c->refused = took ? 0 : f->text.length;
        if (took) {
                c->next = f->end;
                c->full_since = 0;
        }
}

/* While it wants counts, events are passed over, and so is what is missing of them. */
static void leave_events(struct live_client *c, const struct live_ring *ring)
{
        c->next = live_ring_end(ring);
        c->told = live_ring_head(ring);
        c->gap.due = false;
        c->dropped = 0;
}

static void tell(struct live_client *c, const struct live_feed *feed, struct live_frames *frames,
                 msec now)
{
        if (!greet(c, feed, now) || !say_filter(c))
                return;
        if (c->filter->counts) {
                leave_events(c, live_feed_ring(feed));
                return;
        }
        look_for_silence(c, feed, now);
        if (say_gap(c) && say_dropped(c, now) && live_feed_has_begun(feed))
                say_events(c, live_feed_ring(feed), frames, now);
}

void live_client_tick(struct live_client *c, const struct live_feed *feed,
                      struct live_frames *frames, msec now)
{
        if (c->closing || c->held)
                return;
        tell(c, feed, frames, now);
        if (c->closing || c->full_since == 0 || now - c->full_since < SLOW_FOR_MAX)
                return;
        c->closing = true;
        websockets_abandon(c->pool, c->socket, LIVE_CLOSE_SLOW);
}

static void say_if_there_is_room(struct live_client *c, struct bytes text)
{
        if (!c->held)
                (void)say(c, text);
}

static void say_error(struct live_client *c, const char *detail)
{
        AUTO_BUFFER text = {0};

        json_begin(&text);
        json_begin_object(&text, "error");
        json_put_string(&text, "detail", detail);
        json_end(&text);
        json_end(&text);
        say_if_there_is_room(c, buffer_bytes(&text));
}

static void say_pong(struct live_client *c, struct bytes ping)
{
        AUTO_BUFFER text = {0};

        json_begin(&text);
        json_put_raw(&text, "pong", ping);
        json_end(&text);
        say_if_there_is_room(c, buffer_bytes(&text));
}

/* False: its key does not see that tenant. */
static bool limit_tenant(const struct live_client *c, struct live_filter *f)
{
        const char *own = c->asked.viewer.tenant;

        if (own[0] == '\0' || strcmp(f->tenant, own) == 0)
                return true;
        if (strcmp(f->tenant, "*") != 0)
                return false;
        memcpy(f->tenant, own, sizeof(f->tenant));
        return true;
}

static void set_filter(struct live_client *c, struct live_filter *f, const struct live_ring *ring)
{
        if (c->filter->counts && !f->counts)
                leave_events(c, ring);
        live_filter_fini(c->filter);
        *c->filter = *f;
        *f = (struct live_filter){.tenant = "*"};
        c->filter_due = true;
}

void live_client_hear(struct live_client *c, struct bytes text, const struct live_ring *ring)
{
        struct live_message m;
        struct err why = {0};

        if (live_message_parse(text, &m, &why) != 0)
                say_error(c, why.text);
        else if (!m.has_filter)
                say_pong(c, m.ping);
        else if (!limit_tenant(c, &m.filter))
                say_error(c, "this key does not see that tenant");
        else
                set_filter(c, &m.filter, ring);
        live_filter_fini(&m.filter);
}
