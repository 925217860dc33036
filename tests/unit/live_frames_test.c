/* SPDX-License-Identifier: Apache-2.0
 *
 * live_frames_test.c: how many frames of one moment are kept. live_ring_test.c has what is in them.
 */
#include "gateway/live/live_frames.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { CLIENTS = 1000, KEPT = 64, FRAME = 1000 };

static unsigned compared;

bool __real_live_filter_equal(const struct live_filter *a, const struct live_filter *b);
bool __wrap_live_filter_equal(const struct live_filter *a, const struct live_filter *b);

bool __wrap_live_filter_equal(const struct live_filter *a, const struct live_filter *b)
{
        compared++;
        return __real_live_filter_equal(a, b);
}

static struct live_ring *ring_of_one(void)
{
        struct live_ring *r = live_ring_create(1 << 20, 1000);
        struct live_entry e = {.offset = 1, .tags = {.tenant = "acme", .type = "a"}};

        e.json = e.masked = bytes_of_text("1");
        live_ring_begin(r, 0);
        live_ring_add(r, &e);
        live_ring_reach(r, 1, 0);
        return r;
}

static void many_filters(void **state)
{
        static struct live_filter filters[CLIENTS];
        struct live_ring *r = ring_of_one();
        struct live_frames *f = live_frames_create(FRAME, FRAME);
        struct err e = {0};
        char type[16];

        (void)state;
        for (unsigned i = 0; i < CLIENTS; i++) {
                int length = snprintf(type, sizeof(type), "t%u", i);
                filters[i] = (struct live_filter){.tenant = "*"};
                assert_int_equal(live_filter_add(&filters[i], LIVE_TYPES,
                                                 bytes_of(type, (size_t)length), &e),
                                 0);
                assert_int_equal(live_filter_add(&filters[i], LIVE_TYPES, bytes_of_text("a"), &e),
                                 0);
        }
        for (unsigned round = 0; round < 2; round++) {
                for (unsigned i = 0; i < CLIENTS; i++) {
                        const struct live_wanted wanted = {.next = live_ring_first(r),
                                                           .filter = &filters[i]};
                        const struct live_frame *made = live_frames_get(f, r, &wanted);
                        assert_int_equal(made->count, 1);
                        assert_int_equal(made->offset, 1);
                        assert_ptr_equal(made->wanted.filter, &filters[i]);
                        assert_ptr_equal(live_frames_get(f, r, &wanted), made); /* shared */
                }
        }
        assert_true(compared <= 2 * 2 * CLIENTS * KEPT);
        for (unsigned i = 0; i < CLIENTS; i++)
                live_filter_fini(&filters[i]);
        live_frames_destroy(&f);
        live_ring_destroy(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(many_filters)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
