/* SPDX-License-Identifier: Apache-2.0
 *
 * live_frames.h: frames of events, each made once for all clients that want the same from the same
 * place. Not for several threads.
 */
#pragma once

#include "gateway/live/live_filter.h"
#include "gateway/live/live_ring.h"

struct live_frames;

/* Which events: those from `next` on that the filter lets pass. */
struct live_wanted {
        uint64_t next;
        const struct live_filter *filter; /* borrowed until live_frames_clear */
        bool masked;
};

struct live_frame {
        struct live_wanted wanted;
        uint64_t end;   /* the event that the next frame begins with */
        int64_t offset; /* the frame has all up to it */
        size_t count;   /* events in it; 0: there is no text */
        struct buffer text;
};

/* bytes_max: a frame ends after the event that reaches it. */
struct live_frames *live_frames_create(size_t bytes_max);
void live_frames_destroy(struct live_frames **f);
/* The time of the frames that are made from now on; those before are forgotten. */
void live_frames_clear(struct live_frames *f, msec wall);
/* Valid until the next call. */
const struct live_frame *live_frames_get(struct live_frames *f, const struct live_ring *ring,
                                         const struct live_wanted *wanted);
