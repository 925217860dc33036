/* SPDX-License-Identifier: Apache-2.0
 *
 * live_ring.h: the last events of the stream, for readers that are behind and for those that come
 * back. Bounded by bytes and by time. Events are numbered (`seq`) in the order in which they were
 * read, without end, also when the ring begins anew. Pure: not for several threads.
 *
 *      live_ring_begin(r, 41);                  what follows is after offset 41
 *      live_ring_add(r, &event_of_message_42);  any number of times
 *      live_ring_reach(r, 42, mark);            the message is complete
 */
#pragma once

#include "gateway/live/live_event.h"

struct live_ring;

struct live_entry {
        int64_t offset; /* of its message; those of one message follow each other */
        msec read_at;   /* clock_mono */
        struct live_tags tags;
        struct bytes json, masked; /* as live_event_write makes it; in the ring: owned by it */
};

struct live_ring *live_ring_create(size_t bytes_max, msec age_max);
void live_ring_destroy(struct live_ring **r);

/* Forgets all events, and what came before. */
void live_ring_begin(struct live_ring *r, int64_t offset);
/* Copies. The offset is above the ring's head, and not below that of the last event. */
void live_ring_add(struct live_ring *r, const struct live_entry *e);
/* All events of the message with this offset were added. mark: by which it differs from a message
 * with the same offset of another stream; 0: none. */
void live_ring_reach(struct live_ring *r, int64_t offset, int64_t mark);

/* Drops the oldest events until the bounds are kept; `on` is told of each. */
typedef void live_dropped_fn(void *owner, uint64_t seq, const struct live_entry *e);
void live_ring_trim(struct live_ring *r, msec now, live_dropped_fn *on, void *owner);

/* Of the last whole message. */
int64_t live_ring_head(const struct live_ring *r);
/* Of the message with this offset; 0: not known (any more). */
int64_t live_ring_mark(const struct live_ring *r, int64_t offset);
/* Every event behind this offset, up to the head, is here: a reader that has all up to it can go
 * on. */
bool live_ring_covers(const struct live_ring *r, int64_t offset);
/* Of the first event behind this offset. */
uint64_t live_ring_after(const struct live_ring *r, int64_t offset);
uint64_t live_ring_first(const struct live_ring *r); /* of the oldest event that is here */
uint64_t live_ring_end(const struct live_ring *r);   /* of the next event to be added */
/* seq: from first to below end. */
const struct live_entry *live_ring_at(const struct live_ring *r, uint64_t seq);
size_t live_ring_bytes(const struct live_ring *r);
