/* SPDX-License-Identifier: Apache-2.0
 *
 * live_hub.c: the clients' turn, ten times a second.
 */
#include "gateway/live/live_hub.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alarm.h"
#include "common/base/memory.h"
#include "common/base/own.h"

enum {
        TICK = 100,                  /* ms */
        CHECK_EVERY = 500,           /* ms */
        FRAME_BYTES = 512 * 1024,    /* half of what may wait for a client */
        MESSAGE_BYTES = 1000 * 1024, /* with the frame's other members: what may wait for it */
};

struct live_hub {
        struct live_hub_config config;
        struct live_feed *feed;
        struct live_frames *frames;
        struct alarm *tick;
        struct live_client **clients;
        size_t count, size;
        uint64_t slowest; /* none of them was to be told an event before it */
        msec checked_at;
        uint64_t counts_version; /* that was told */
};

static void on_gap(void *owner, enum live_gap why)
{
        struct live_hub *h = owner;

        for (size_t i = 0; i < h->count; i++)
                live_client_gap(h->clients[i], why, live_feed_ring(h->feed));
}

static void on_begun(void *owner)
{
        struct live_hub *h = owner;

        for (size_t i = 0; i < h->count; i++)
                live_client_begun(h->clients[i], h->feed);
}

static void on_dropped(void *owner, uint64_t seq, const struct live_entry *e)
{
        struct live_hub *h = owner;

        for (size_t i = 0; seq >= h->slowest && i < h->count; i++)
                live_client_dropped(h->clients[i], seq, e);
}

static void check(struct live_hub *h, msec now)
{
        if (now - h->checked_at < CHECK_EVERY)
                return;
        h->checked_at = now;
        for (size_t i = 0; i < h->count; i++) {
                struct live_client *c = h->clients[i];
                switch (h->config.stays(h->config.owner, live_client_viewer(c))) {
                case LIVE_STAYS:
                        live_client_hold(c, false);
                        break;
                case LIVE_ENDS:
                        live_client_end(c);
                        break;
                case LIVE_UNCHECKED:
                        live_client_hold(c, true);
                        break;
                }
        }
}

/* Each tenant's text is made once for those of its clients that follow each other. */
static void tell_counts(struct live_hub *h, msec now)
{
        AUTO_BUFFER text = {0};
        const char *tenant = "";
        bool wanted = false;

        for (size_t i = 0; i < h->count; i++)
                wanted = wanted || live_client_counts(h->clients[i]) != NULL;
        live_counts_want(h->config.counts, wanted);
        uint64_t version = live_counts_version(h->config.counts);
        if (!wanted || version == 0 || version == h->counts_version)
                return;
        h->counts_version = version;
        for (size_t i = 0; i < h->count; i++) {
                const struct live_filter *f = live_client_counts(h->clients[i]);
                if (f == NULL)
                        continue;
                if (strcmp(tenant, f->tenant) != 0) {
                        tenant = f->tenant;
                        buffer_clear(&text);
                        live_counts_write(h->config.counts, tenant, &text);
                }
                live_client_say(h->clients[i], buffer_bytes(&text), now);
        }
}

static bool wants_events(const struct live_hub *h)
{
        for (size_t i = 0; i < h->count; i++)
                if (live_client_wants_events(h->clients[i]))
                        return true;
        return false;
}

static void on_tick(void *owner)
{
        struct live_hub *h = owner;
        msec now = clock_mono();

        live_feed_tick(h->feed, wants_events(h), now);
        check(h, now);
        live_frames_clear(h->frames, clock_wall());
        h->slowest = UINT64_MAX;
        for (size_t i = 0; i < h->count; i++) {
                live_client_tick(h->clients[i], h->feed, h->frames, now);
                uint64_t next = live_client_next(h->clients[i]);
                h->slowest = next < h->slowest ? next : h->slowest;
        }
        live_frames_clear(h->frames, 0);
        tell_counts(h, now);
        if (h->count == 0 && !live_feed_is_running(h->feed))
                alarm_stop(h->tick);
}

struct live_hub *live_hub_create(const struct live_hub_config *c, uv_loop_t *loop)
{
        static const struct live_feed_events on = {
                .gap = on_gap, .begun = on_begun, .dropped = on_dropped};
        struct live_hub *h = xcalloc(1, sizeof(*h));

        h->config = *c;
        h->feed = live_feed_create(c->link, &on, h, c->meters, loop);
        h->frames = live_frames_create(FRAME_BYTES, MESSAGE_BYTES);
        h->tick = alarm_create(loop, on_tick, h);
        return h;
}

void live_hub_destroy(struct live_hub **hub)
{
        struct live_hub *h = TAKE(*hub);

        if (h == NULL)
                return;
        alarm_destroy(&h->tick);
        live_feed_destroy(&h->feed);
        live_frames_destroy(&h->frames);
        for (size_t i = 0; i < h->count; i++)
                live_client_destroy(&h->clients[i]);
        free((void *)h->clients);
        free(h);
}

void live_hub_add(struct live_hub *h, struct live_client *c, uint64_t socket)
{
        msec now = clock_mono();

        if (h->count == h->size) {
                h->size = h->size == 0 ? 16 : 2 * h->size;
                h->clients = xrealloc((void *)h->clients, h->size * sizeof(struct live_client *));
        }
        h->clients[h->count++] = c;
        metric_set(h->config.meters->clients, (double)h->count);
        live_client_open(c, socket, now);
        if (!alarm_is_set(h->tick))
                alarm_set_every(h->tick, TICK);
        live_feed_tick(h->feed, wants_events(h), now);
}

void live_hub_hear(struct live_hub *h, struct live_client *c, struct bytes text)
{
        live_client_hear(c, text, live_feed_ring(h->feed));
}

void live_hub_remove(struct live_hub *h, struct live_client *c)
{
        for (size_t i = 0; i < h->count; i++) {
                if (h->clients[i] != c)
                        continue;
                h->clients[i] = h->clients[--h->count];
                break;
        }
        metric_set(h->config.meters->clients, (double)h->count);
        live_client_destroy(&c);
}
