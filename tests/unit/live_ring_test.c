/* SPDX-License-Identifier: Apache-2.0
 *
 * live_ring_test.c: the ring of the live feed, and the frames that are made from it.
 */
#include "gateway/live/live_ring.h"

#include <stdio.h>
#include <string.h>

#include "gateway/live/live_frames.h"
#include "tests/unit/unit.h"

enum { AGE = 100 };

static unsigned dropped;
static uint64_t last_dropped;

static void on_dropped(void *owner, uint64_t seq, const struct live_entry *e)
{
        (void)owner;
        assert_non_null(e->json.data);
        dropped++;
        last_dropped = seq;
}

static void add(struct live_ring *r, int64_t offset, const char *type, msec at)
{
        char json[64], masked[64];
        struct live_entry e = {.offset = offset, .read_at = at};

        snprintf(e.tags.type, sizeof(e.tags.type), "%s", type);
        snprintf(e.tags.tenant, sizeof(e.tags.tenant), "acme");
        int length = snprintf(json, sizeof(json), "{\"%s\":%d}", type, (int)offset);
        e.json = e.masked = bytes_of(json, (size_t)length);
        if (type[0] == 'q') {
                length = snprintf(masked, sizeof(masked), "{\"-\":%d}", (int)offset);
                e.masked = bytes_of(masked, (size_t)length);
        }
        live_ring_add(r, &e);
        memset(json, 'x', sizeof(json)); /* the ring has its own */
        memset(masked, 'x', sizeof(masked));
}

static struct live_ring *filled(size_t bytes)
{
        struct live_ring *r = live_ring_create(bytes, AGE);

        live_ring_begin(r, 9);
        add(r, 10, "a", 0); /* two events of one message */
        add(r, 10, "b", 0);
        live_ring_reach(r, 10, 100);
        live_ring_reach(r, 11, 0); /* a message without events */
        add(r, 12, "a", 50);
        live_ring_reach(r, 12, 120);
        return r;
}

static void what_it_covers(void **state)
{
        struct live_ring *r = filled(1 << 20);

        (void)state;
        assert_int_equal(live_ring_head(r), 12);
        assert_int_equal(live_ring_end(r), 3);
        for (int64_t offset = 0; offset < 20; offset++)
                assert_int_equal(live_ring_covers(r, offset), offset >= 9 && offset <= 12);
        assert_int_equal(live_ring_after(r, 9), 0);
        assert_int_equal(live_ring_after(r, 10), 2);
        assert_int_equal(live_ring_after(r, 11), 2);
        assert_int_equal(live_ring_after(r, 12), 3);
        assert_int_equal(live_ring_mark(r, 12), 120);
        assert_int_equal(live_ring_mark(r, 11), 0);
        assert_int_equal(live_ring_mark(r, 9), 0);
        live_ring_begin(r, 3); /* a stream that was made anew */
        assert_int_equal(live_ring_mark(r, 12), 0);
        assert_true(live_ring_covers(r, 3) && !live_ring_covers(r, 4) && !live_ring_covers(r, 10));
        assert_int_equal(live_ring_first(r), 3);
        assert_int_equal(live_ring_bytes(r), 0);
        live_ring_destroy(&r);
        live_ring_destroy(&r);
}

static void old_events_are_dropped(void **state)
{
        struct live_ring *r = filled(1 << 20);

        (void)state;
        dropped = 0;
        live_ring_trim(r, AGE, on_dropped, NULL);
        assert_int_equal(dropped, 0);
        live_ring_trim(r, AGE + 1, on_dropped, NULL);
        assert_int_equal(dropped, 2);
        assert_int_equal(last_dropped, 1);
        assert_false(live_ring_covers(r, 9));
        assert_true(live_ring_covers(r, 10));
        assert_int_equal(live_ring_after(r, 10), 2);
        live_ring_trim(r, 1000, on_dropped, NULL);
        assert_true(live_ring_covers(r, 12) && !live_ring_covers(r, 11));
        live_ring_destroy(&r);
}

/* Of a message that was dropped in part, nothing is covered. */
static void it_is_bounded_by_bytes(void **state)
{
        struct live_ring *r = live_ring_create(20000, AGE);

        (void)state;
        live_ring_begin(r, 0);
        dropped = 0;
        for (int64_t offset = 1; offset < 3000; offset++) {
                add(r, offset, "a", 0);
                add(r, offset, "q", 0);
                live_ring_reach(r, offset, 1);
                live_ring_trim(r, 0, on_dropped, NULL);
                assert_true(live_ring_bytes(r) <= 20000);
        }
        assert_true(dropped > 5000);
        assert_int_equal(live_ring_first(r), dropped);
        int64_t first = live_ring_at(r, live_ring_first(r))->offset;
        assert_int_equal(live_ring_covers(r, first - 1), live_ring_first(r) % 2 == 0);
        assert_true(live_ring_covers(r, first));
        live_ring_destroy(&r);
}

static void frames(void **state)
{
        struct live_ring *r = filled(1 << 20);
        struct live_frames *f = live_frames_create(1000, 2000);
        struct live_filter all = {.tenant = "*"}, also = {.tenant = "*"}, one = {.tenant = "*"};
        struct err e = {0};

        (void)state;
        assert_int_equal(live_filter_add(&one, LIVE_TYPES, bytes_of_text("b"), &e), 0);
        live_frames_clear(f, 1000);
        struct live_wanted wanted = {.filter = &all};
        const struct live_frame *frame = live_frames_get(f, r, &wanted);
        assert_string_equal(frame->text.data,
                            "{\"offset\":12,\"mark\":120,\"at\":\"1970-01-01T00:00:01.000Z\","
                            "\"events\":[{\"a\":10},{\"b\":10},{\"a\":12}]}");
        assert_int_equal(frame->end, 3);
        wanted.filter = &also; /* another filter that is the same: the frame is shared */
        assert_ptr_equal(live_frames_get(f, r, &wanted), frame);
        wanted.filter = &one;
        frame = live_frames_get(f, r, &wanted);
        assert_int_equal(frame->count, 1);
        assert_int_equal(frame->offset, 12);
        wanted.next = 2;
        frame = live_frames_get(f, r, &wanted);
        assert_int_equal(frame->count, 0);
        assert_int_equal(frame->end, 3);
        live_frames_destroy(&f);
        live_filter_fini(&one);
        live_ring_destroy(&r);
}

/* Two events of 8 bytes in message 10, one in message 12. */
static void a_frame_has_a_bound(void **state)
{
        static const struct {
                size_t bytes_max, message_max;
                struct {
                        uint64_t end;
                        int64_t offset;
                } want[3];
        } rows[] = {
                {1, 1, {{1, 9}, {2, 10}, {3, 12}}}, /* a message in parts: the offset before it */
                {1, 100, {{2, 10}, {3, 12}}},       /* a message that is larger is a frame */
                {12, 100, {{2, 10}, {3, 12}}},
                {25, 100, {{2, 10}, {3, 12}}},
                {26, 100, {{3, 12}}},
        };
        struct live_ring *r = filled(1 << 20);
        struct live_filter all = {.tenant = "*"};

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                struct live_wanted wanted = {.filter = &all};
                for (size_t j = 0; wanted.next < live_ring_end(r); j++) {
                        struct live_frames *f =
                                live_frames_create(rows[i].bytes_max, rows[i].message_max);
                        const struct live_frame *frame = live_frames_get(f, r, &wanted);
                        assert_int_equal(frame->count, frame->end - wanted.next);
                        assert_int_equal(frame->end, rows[i].want[j].end);
                        assert_int_equal(frame->offset, rows[i].want[j].offset);
                        wanted.next = frame->end;
                        live_frames_destroy(&f);
                }
        }
        live_ring_destroy(&r);
}

/* Whoever comes back after any frame of a burst gets what he has not, and nothing twice. */
static void frames_of_a_burst(void **state)
{
        enum { MESSAGES = 300, FRAME = 50 * 1000, MESSAGE = 100 * 1000 };
        static char text[2500];
        struct live_ring *r = live_ring_create(8 << 20, AGE);
        struct live_filter some = {.tenant = "*"};
        struct live_wanted wanted = {.filter = &some};
        struct live_entry entry = {.tags.type = "a"};
        struct err e = {0};
        unsigned count = 0;

        (void)state;
        assert_int_equal(live_filter_add(&some, LIVE_TYPES, bytes_of_text("a"), &e), 0);
        memset(text, '1', sizeof(text));
        live_ring_begin(r, 0);
        for (entry.offset = 1; entry.offset <= MESSAGES; entry.offset++) {
                int64_t events = entry.offset == 100 ? 30 : entry.offset * 7 % 12;
                for (int64_t i = 0; i < events; i++) {
                        entry.json = entry.masked = bytes_of(
                                text, (size_t)(1000 + (entry.offset * 31 + i * 97) % 1500));
                        entry.tags.type[0] = i % 5 == 4 ? 'b' : 'a';
                        live_ring_add(r, &entry);
                }
                live_ring_reach(r, entry.offset, 1);
        }
        assert_true(live_ring_bytes(r) > 2 << 20);
        for (; wanted.next < live_ring_end(r); count++) {
                struct live_frames *f = live_frames_create(FRAME, MESSAGE);
                const struct live_frame *frame = live_frames_get(f, r, &wanted);
                assert_true(frame->text.length < FRAME + 100 || frame->offset == 100);
                assert_true(live_ring_covers(r, frame->offset));
                assert_int_equal(live_ring_after(r, frame->offset), frame->end);
                wanted.next = frame->end;
                live_frames_destroy(&f);
        }
        assert_true(count > 40);
        live_filter_fini(&some);
        live_ring_destroy(&r);
}

static void masked_readers_get_other_texts(void **state)
{
        struct live_ring *r = live_ring_create(1 << 20, AGE);
        struct live_frames *f = live_frames_create(1000, 2000);
        struct live_filter all = {.tenant = "*"};
        struct live_wanted wanted = {.filter = &all};

        (void)state;
        live_ring_begin(r, 0);
        add(r, 1, "q", 0);
        live_ring_reach(r, 1, 1);
        assert_non_null(strstr(live_frames_get(f, r, &wanted)->text.data, "{\"q\":1}"));
        wanted.masked = true;
        assert_non_null(strstr(live_frames_get(f, r, &wanted)->text.data, "{\"-\":1}"));
        live_frames_destroy(&f);
        live_ring_destroy(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_it_covers),
                cmocka_unit_test(old_events_are_dropped),
                cmocka_unit_test(it_is_bounded_by_bytes),
                cmocka_unit_test(frames),
                cmocka_unit_test(a_frame_has_a_bound),
                cmocka_unit_test(frames_of_a_burst),
                cmocka_unit_test(masked_readers_get_other_texts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
