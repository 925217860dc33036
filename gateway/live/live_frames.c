/* SPDX-License-Identifier: Apache-2.0
 *
 * live_frames.c: a list of the frames of one moment.
 */
#include "gateway/live/live_frames.h"

#include <stdlib.h>

#include "common/base/json_write.h"
#include "common/base/memory.h"
#include "common/base/own.h"

/* Clients that want the same follow each other or are few. More frames would take memory, and time
 * to look through: 500 clients that are behind could each want another one. */
enum { KEPT = 64 };

struct live_frames {
        size_t bytes_max, message_max;
        msec wall;
        struct live_frame frames[KEPT];
        size_t count; /* that were made; the last are kept */
        struct buffer events;
};

struct live_frames *live_frames_create(size_t bytes_max, size_t message_max)
{
        struct live_frames *f = xcalloc(1, sizeof(*f));

        f->bytes_max = bytes_max;
        f->message_max = message_max;
        return f;
}

void live_frames_clear(struct live_frames *f, msec wall)
{
        for (size_t i = 0; i < KEPT; i++)
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

/* Puts events into f->events, up to frame->end. */
static void fill(struct live_frames *f, const struct live_ring *ring, struct live_frame *frame)
{
        const struct live_wanted *w = &frame->wanted;
        /* The frame without the message that is being added. */
        uint64_t end = w->next;
        size_t count = 0, length = 0;

        buffer_clear(&f->events);
        for (frame->end = w->next; frame->end < live_ring_end(ring); frame->end++) {
                const struct live_entry *e = live_ring_at(ring, frame->end);
                if (frame->end > w->next &&
                    live_ring_at(ring, frame->end - 1)->offset != e->offset) {
                        end = frame->end;
                        count = frame->count;
                        length = f->events.length;
                }
                if (!live_filter_matches(w->filter, &e->tags))
                        continue;
                const struct bytes json = w->masked ? e->masked : e->json;
                size_t with = f->events.length + 1 + json.length;
                if (with > f->bytes_max && count > 0) {
                        frame->end = end;
                        frame->count = count;
                        f->events.length = length;
                        return;
                }
                if (with > f->message_max && frame->count > 0)
                        return;
                if (frame->count++ > 0)
                        buffer_add_char(&f->events, ',');
                buffer_add(&f->events, json.data, json.length);
        }
}

void live_frame_put_place(struct buffer *out, const struct live_ring *ring, int64_t offset)
{
        int64_t mark = live_ring_mark(ring, offset);

        if (offset >= 0)
                json_put_int(out, "offset", offset);
        else
                json_put_null(out, "offset");
        if (mark != 0)
                json_put_int(out, "mark", mark);
        else
                json_put_null(out, "mark");
}

static void make(struct live_frames *f, const struct live_ring *ring, struct live_frame *frame)
{
        fill(f, ring, frame);
        frame->offset = offset_of(ring, frame->end);
        if (frame->count == 0)
                return;
        json_begin(&frame->text);
        live_frame_put_place(&frame->text, ring, frame->offset);
        json_put_time(&frame->text, "at", f->wall);
        buffer_add_text(&frame->text, ",\"events\":[");
        buffer_add(&frame->text, f->events.data, f->events.length);
        buffer_add_text(&frame->text, "]}");
}

const struct live_frame *live_frames_get(struct live_frames *f, const struct live_ring *ring,
                                         const struct live_wanted *wanted)
{
        for (size_t i = 0; i < f->count && i < KEPT; i++)
                if (is_wanted(&f->frames[i].wanted, wanted))
                        return &f->frames[i];
        struct live_frame *frame = &f->frames[f->count++ % KEPT];
        buffer_fini(&frame->text);
        *frame = (struct live_frame){.wanted = *wanted};
        make(f, ring, frame);
        return frame;
}
