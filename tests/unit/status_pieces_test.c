/* SPDX-License-Identifier: Apache-2.0
 *
 * status_pieces_test.c: cursors, histograms, freshness and packed keys of the status-store.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "status-store/jobs/list.h"
#include "status-store/projection/freshness.h"
#include "status-store/projection/histogram.h"
#include "status-store/projection/schema.h"

static void cursors_come_back(void **state)
{
        static const struct cursor table[] = {{false, 0, 0},
                                              {true, 1700000000000, 77},
                                              {false, INT64_MAX, INT64_MAX},
                                              {true, -1, 5}};
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                char text[CURSOR_SIZE];
                struct cursor got;
                cursor_write(&table[i], text);
                assert_int_equal(strlen(text), CURSOR_SIZE - 1);
                assert_true(cursor_read(text, &got));
                assert_int_equal(got.ascending, table[i].ascending);
                assert_true(got.created == table[i].created && got.seq == table[i].seq);
        }
}

static void invented_cursors_do_not(void **state)
{
        char text[CURSOR_SIZE];
        struct cursor got;
        (void)state;
        cursor_write(&(struct cursor){.created = 1700000000000, .seq = 77}, text);
        for (size_t i = 0; i < CURSOR_SIZE - 1; i++) {
                char changed[CURSOR_SIZE];
                memcpy(changed, text, sizeof(changed));
                changed[i] = changed[i] == '3' ? '4' : '3';
                assert_false(cursor_read(changed, &got));
        }
        assert_false(cursor_read("", &got));
        text[CURSOR_SIZE - 2] = '\0';
        assert_false(cursor_read(text, &got));
}

static void percentiles_are_close(void **state)
{
        static const struct {
                msec from, to;
                double share;
                msec want;
        } table[] = {
                {0, 0, 0.5, 0},       {5, 5, 0.99, 5},          {1, 100, 0.5, 50},
                {1, 1000, 0.95, 950}, {1, 100000, 0.99, 99000}, {86400000, 86400000, 0.5, 86400000},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                struct histogram h = {0};
                for (msec v = table[i].from; v <= table[i].to; v++)
                        histogram_add(&h, v);
                msec got = histogram_at(&h, table[i].share);
                msec off = got > table[i].want ? got - table[i].want : table[i].want - got;
                assert_true(off * 100 <= table[i].want * 7);
        }
        struct histogram none = {0};
        assert_int_equal(histogram_at(&none, 0.5), -1);
}

static void histograms_are_packed_and_merged(void **state)
{
        struct histogram h = {0};
        struct histogram twice = {0};
        AUTO_BUFFER packed = {0};
        (void)state;
        for (msec v = -1; v < 100000; v += 37)
                histogram_add(&h, v);
        histogram_pack(&h, &packed);
        histogram_unpack(buffer_bytes(&packed), &twice);
        histogram_unpack(buffer_bytes(&packed), &twice);
        assert_int_equal(twice.total, 2 * h.total);
        for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
                assert_int_equal(twice.count[i], 2 * h.count[i]);
}

static void lag_is_told(void **state)
{
        struct freshness f = {0};
        (void)state;
        freshness_reached(&f, 1000, 5000);
        assert_int_equal(freshness_lag(&f, 6000).lag, 5000);
        assert_int_equal(freshness_lag(&f, 6000).as_of, 1000);
        freshness_reached(&f, 500, 5000); /* freshness never goes back */
        assert_int_equal(freshness_lag(&f, 6000).as_of, 1000);
        freshness_drained(&f, 6500);
        assert_int_equal(freshness_lag(&f, 9000).lag, 0);
        assert_int_equal(freshness_lag(&f, 9000).as_of, 9000);
        assert_int_equal(freshness_lag(&f, 12000).as_of, 6500); /* the follower has stopped */
        freshness_behind(&f);
        assert_int_equal(freshness_lag(&f, 9000).lag, 2500);
        freshness_reached(&f, 99999, 9000); /* the event's clock is ahead of this one */
        assert_int_equal(freshness_lag(&f, 9000).lag, 0);
}

static void keys_are_packed(void **state)
{
        const struct fold_key full = {3, 2, 9, 10, (int64_t)1 << 53, 1700000000000, UINT64_MAX};
        const struct fold_key empty = {0};
        const struct fold_key *const in[] = {&full, &empty, &full};
        struct fold_key a = {0}, b = {0}, c = {0};
        struct fold_key *const out[] = {&a, &b, &c};
        unsigned char packed[KEYS_SIZE];
        struct err e = {0};
        (void)state;
        size_t length = keys_pack(in, 3, packed);
        assert_int_equal(keys_unpack(bytes_of(packed, length), out, 3, &e), 0);
        assert_int_equal(fold_key_compare(&a, &full), 0);
        assert_int_equal(fold_key_compare(&b, &empty), 0);
        assert_int_equal(fold_key_compare(&c, &full), 0);
        for (size_t cut = 0; cut < length; cut++)
                assert_int_equal(keys_unpack(bytes_of(packed, cut), out, 3, &e), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(cursors_come_back),
                cmocka_unit_test(invented_cursors_do_not),
                cmocka_unit_test(percentiles_are_close),
                cmocka_unit_test(histograms_are_packed_and_merged),
                cmocka_unit_test(lag_is_told),
                cmocka_unit_test(keys_are_packed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
