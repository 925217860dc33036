/* SPDX-License-Identifier: Apache-2.0
 *
 * live_ring.c: a queue of events, each in a piece of memory of its own.
 */
#include "gateway/live/live_ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"

enum {
        SLOTS_AT_FIRST = 1024, /* a power of two, as all sizes are */
        MARKS = 32 * 1024,     /* more messages than there are with events that fit */
};

struct live_ring {
        size_t bytes_max;
        msec age_max;
        int64_t base, head; /* events of messages behind base, up to head, are here */
        size_t bytes;       /* of the entries */
        uint64_t first, end;
        struct live_entry **slots; /* event seq is in slots[seq % size] */
        size_t size;
        struct {
                int64_t offset, mark;
        } * marks; /* that of an offset is in marks[offset % MARKS] */
};

struct live_ring *live_ring_create(size_t bytes_max, msec age_max)
{
        struct live_ring *r = xcalloc(1, sizeof(*r));

        r->bytes_max = bytes_max;
        r->age_max = age_max;
        r->base = r->head = -1;
        r->size = SLOTS_AT_FIRST;
        r->slots = xcalloc(r->size, sizeof(struct live_entry *));
        r->marks = xcalloc(MARKS, sizeof(*r->marks));
        return r;
}

static struct live_entry **slot(const struct live_ring *r, uint64_t seq)
{
        return &r->slots[seq & (r->size - 1)];
}

static size_t bytes_of_entry(const struct live_entry *e)
{
        size_t texts = e->json.length + (e->masked.data != e->json.data ? e->masked.length : 0);

        return sizeof(*e) + sizeof(struct live_entry *) + texts;
}

static void drop_first(struct live_ring *r)
{
        struct live_entry *e = *slot(r, r->first);

        r->first++;
        r->base = e->offset;
        r->bytes -= bytes_of_entry(e);
        free(e);
}

void live_ring_begin(struct live_ring *r, int64_t offset)
{
        while (r->first < r->end)
                drop_first(r);
        r->base = r->head = offset;
        memset(r->marks, 0, MARKS * sizeof(*r->marks));
}

void live_ring_destroy(struct live_ring **ring)
{
        struct live_ring *r = TAKE(*ring);

        if (r == NULL)
                return;
        live_ring_begin(r, -1);
        free((void *)r->slots);
        free(r->marks);
        free(r);
}

static void grow(struct live_ring *r)
{
        struct live_ring old = *r;

        r->size *= 2;
        r->slots = xcalloc(r->size, sizeof(struct live_entry *));
        for (uint64_t seq = r->first; seq < r->end; seq++)
                *slot(r, seq) = *slot(&old, seq);
        free((void *)old.slots);
}

void live_ring_add(struct live_ring *r, const struct live_entry *e)
{
        bool same = e->masked.data == e->json.data;
        size_t more = same ? 0 : e->masked.length;
        struct live_entry *own = xmalloc(sizeof(*own) + e->json.length + more);
        char *text = (char *)(own + 1);

        assert(e->offset > r->head);
        assert(r->first == r->end || e->offset >= (*slot(r, r->end - 1))->offset);
        *own = *e;
        memcpy(text, e->json.data, e->json.length);
        own->json = own->masked = bytes_of(text, e->json.length);
        if (!same) {
                memcpy(text + e->json.length, e->masked.data, more);
                own->masked = bytes_of(text + e->json.length, more);
        }
        if (r->end - r->first == r->size)
                grow(r);
        *slot(r, r->end++) = own;
        r->bytes += bytes_of_entry(own);
}

void live_ring_reach(struct live_ring *r, int64_t offset, int64_t mark)
{
        assert(offset > r->head);
        r->head = offset;
        r->marks[offset & (MARKS - 1)].offset = offset;
        r->marks[offset & (MARKS - 1)].mark = mark;
}

int64_t live_ring_mark(const struct live_ring *r, int64_t offset)
{
        return r->marks[offset & (MARKS - 1)].offset == offset ? r->marks[offset & (MARKS - 1)].mark
                                                               : 0;
}

void live_ring_trim(struct live_ring *r, msec now, live_dropped_fn *on, void *owner)
{
        while (r->first < r->end) {
                const struct live_entry *e = *slot(r, r->first);
                if (r->bytes <= r->bytes_max && now - e->read_at <= r->age_max)
                        return;
                on(owner, r->first, e);
                drop_first(r);
        }
}

int64_t live_ring_head(const struct live_ring *r)
{
        return r->head;
}

bool live_ring_covers(const struct live_ring *r, int64_t offset)
{
        return offset >= r->base && offset <= r->head;
}

uint64_t live_ring_after(const struct live_ring *r, int64_t offset)
{
        uint64_t low = r->first, high = r->end;

        while (low < high) {
                uint64_t middle = low + (high - low) / 2;
                if ((*slot(r, middle))->offset <= offset)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

uint64_t live_ring_first(const struct live_ring *r)
{
        return r->first;
}

uint64_t live_ring_end(const struct live_ring *r)
{
        return r->end;
}

const struct live_entry *live_ring_at(const struct live_ring *r, uint64_t seq)
{
        assert(seq >= r->first && seq < r->end);
        return *slot(r, seq);
}

size_t live_ring_bytes(const struct live_ring *r)
{
        return r->bytes;
}
