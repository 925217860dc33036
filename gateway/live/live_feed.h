/* SPDX-License-Identifier: Apache-2.0
 *
 * live_feed.h: what the clients of a gateway share: the events of the stream, read while somebody
 * wants them and for some seconds longer, in a ring. Loop's thread only.
 */
#pragma once

#include "common/amqp/link.h"
#include "gateway/live/live_meters.h"
#include "gateway/live/live_ring.h"

/* Why events may be missing. */
enum live_gap {
        LIVE_GAP_RESTARTED,  /* the gateway has not read what the client asks for */
        LIVE_GAP_OLD_OFFSET, /* it has read and dropped it */
        LIVE_GAP_REWOUND,    /* the stream is not the one that the client's offset is of */
        LIVE_GAP_BEHIND,     /* the stream dropped it before the gateway had read it */
        LIVE_GAP_BROKER,     /* the stream cannot be read now */
};
enum { LIVE_GAP_COUNT = LIVE_GAP_BROKER + 1 };
const char *live_gap_word(enum live_gap gap);

struct live_feed_events {
        /* Events between the head of the ring and where it begins next may be missing. */
        void (*gap)(void *owner, enum live_gap why);
        /* The ring begins anew. */
        void (*begun)(void *owner);
        /* The ring drops its oldest event. */
        live_dropped_fn *dropped;
};

struct live_feed;

/* link: borrowed for good, as are the strings in it. */
struct live_feed *live_feed_create(const struct link_config *link,
                                   const struct live_feed_events *on, void *owner,
                                   const struct live_meters *meters, uv_loop_t *loop);
/* Run the loop afterwards. */
void live_feed_destroy(struct live_feed **f);

/* Call it every 100 ms. wanted: somebody wants events. */
void live_feed_tick(struct live_feed *f, bool wanted, msec now);
/* The stream is followed, or to be. */
bool live_feed_is_running(const struct live_feed *f);
/* An offset of the stream can be told, which may be away since. */
bool live_feed_has_begun(const struct live_feed *f);
/* How long the stream could not be read for; 0: it is being read. */
msec live_feed_silent_for(const struct live_feed *f, msec now);
const struct live_ring *live_feed_ring(const struct live_feed *f);
/* Whether who has read up to the offset has missed nothing that the ring has not; else why. mark:
 * of the message with that offset, as live_ring_mark; 0: not said, so it may be of a stream that is
 * gone. */
bool live_feed_continues(const struct live_feed *f, int64_t offset, int64_t mark,
                         enum live_gap *why);
