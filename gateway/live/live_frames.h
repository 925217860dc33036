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

/* Sizes of the events of a frame. A frame ends before the message that would make it larger than
 * bytes_max; one message that is larger is a frame of its own. Only one over message_max is cut
 * into several frames, which say the offset before it until it is complete. */
struct live_frames *live_frames_create(size_t bytes_max, size_t message_max);
void live_frames_destroy(struct live_frames **f);
/* The time of the frames that are made from now on; those before are forgotten. */
void live_frames_clear(struct live_frames *f, msec wall);
/* Appends the members by which a client comes back behind this offset. -1: there is none. */
void live_frame_put_place(struct buffer *out, const struct live_ring *ring, int64_t offset);
/* Valid until the next call. */
const struct live_frame *live_frames_get(struct live_frames *f, const struct live_ring *ring,
                                         const struct live_wanted *wanted);
