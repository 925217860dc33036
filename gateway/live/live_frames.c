/* SPDX-License-Identifier: Apache-2.0
 *
 * live_frames.c: a list of the frames of one moment.
 */
#include "gateway/live/live_frames.h"

#include <stdlib.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"

struct live_frames {
        size_t bytes_max;
        msec wall;
        struct live_frame *frames;
        size_t count, size;
        struct buffer events;
};

struct live_frames *live_frames_create(size_t bytes_max)
{
        struct live_frames *f = xcalloc(1, sizeof(*f));

        f->bytes_max = bytes_max;
        return f;
}

void live_frames_clear(struct live_frames *f, msec wall)
{
        for (size_t i = 0; i < f->count; i++)
                buffer_fini(&f->frames[i].text);
        f->count = 0;
        f->wall = wall;
}

void live_frames_destroy(struct live_frames **frames)
{
        struct live_frames *f = TAKE(*frames);

        if (f == NULL)
                return;
        live_frames_clear(f, 0);
        buffer_fini(&f->events);
        free(f->frames);
        free(f);
}

static bool is_wanted(const struct live_wanted *a, const struct live_wanted *b)
{
        return a->next == b->next && a->masked == b->masked &&
               (a->filter == b->filter || live_filter_equal(a->filter, b->filter));
}

/* Where a frame ends that has all events below `end`. */
static int64_t offset_of(const struct live_ring *ring, uint64_t end)
{
        if (end == live_ring_end(ring))
                return live_ring_head(ring);
        int64_t next = live_ring_at(ring, end)->offset;
        /* That message may have begun in the frame: then only those before it are whole. */
        bool begun = end > live_ring_first(ring) && live_ring_at(ring, end - 1)->offset == next;
        return begun || end == live_ring_first(ring) ? next - 1
                                                     : live_ring_at(ring, end - 1)->offset;
}

static void make(struct live_frames *f, const struct live_ring *ring, struct live_frame *frame)
{
        const struct live_wanted *w = &frame->wanted;

        buffer_clear(&f->events);
        for (frame->end = w->next; frame->end < live_ring_end(ring); frame->end++) {
                const struct live_entry *e = live_ring_at(ring, frame->end);
                if (f->events.length >= f->bytes_max)
                        break;
                if (!live_filter_matches(w->filter, &e->tags))
                        continue;
                if (frame->count++ > 0)
                        buffer_add_char(&f->events, ',');
                const struct bytes json = w->masked ? e->masked : e->json;
                buffer_add(&f->events, json.data, json.length);
        }
        frame->offset = offset_of(ring, frame->end);
        if (frame->count == 0)
                return;
        json_begin(&frame->text);
        json_put_int(&frame->text, "offset", frame->offset);
        json_put_time(&frame->text, "at", f->wall);
        buffer_add_text(&frame->text, ",\"events\":[");
        buffer_add(&frame->text, f->events.data, f->events.length);
        buffer_add_text(&frame->text, "]}");
}

const struct live_frame *live_frames_get(struct live_frames *f, const struct live_ring *ring,
                                         const struct live_wanted *wanted)
{
        for (size_t i = 0; i < f->count; i++)
                if (is_wanted(&f->frames[i].wanted, wanted))
                        return &f->frames[i];
        if (f->count == f->size) {
                f->size = f->size == 0 ? 16 : 2 * f->size;
                f->frames = xrealloc(f->frames, f->size * sizeof(*f->frames));
        }
        struct live_frame *frame = &f->frames[f->count++];
        *frame = (struct live_frame){.wanted = *wanted};
        make(f, ring, frame);
        return frame;
}
