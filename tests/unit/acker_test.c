/* SPDX-License-Identifier: Apache-2.0
 *
 * acker_test.c: which deliveries an ack covers, and when it is written.
 */
#include "common/amqp/acker.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "tests/unit/fake_channel.h"
#include "tests/unit/unit.h"

enum { PREFETCH = 16, DELIVERED_MAX = 1024 };

static struct incoming *delivered[DELIVERED_MAX];

static struct incoming *deliver(struct acker *a, uint16_t channel, uint64_t tag)
{
        struct incoming *in = xcalloc(1, sizeof(*in));

        in->channel = channel;
        in->tag = tag;
        in->size = 100;
        acker_track(a, in, PREFETCH);
        delivered[tag] = in;
        return in;
}

static void settle(struct acker *a, struct incoming *in, enum settle how)
{
        struct node_list list = {0};
        struct err e = {0};

        in->how = how;
        node_list_add(&list, &in->notice.node);
        assert_int_equal(acker_take(a, &list, fake_channel, &e), 0);
}

static void write_acks(struct acker *a, bool all)
{
        struct err e = {0};

        assert_int_equal(acker_write(a, fake_channel, all, &e), 0);
}

static void acks_are_batched(void **state)
{
        struct acker *a = acker_create();

        (void)state;
        for (uint64_t tag = 1; tag <= 9; tag++)
                deliver(a, DELIVERY_CHANNEL, tag);
        for (uint64_t tag = 1; tag <= 3; tag++)
                settle(a, delivered[tag], SETTLE_ACK);
        write_acks(a, false);
        assert_sent("");
        assert_int_equal(acker_deadline(a), fake_now + 5);
        settle(a, delivered[4], SETTLE_ACK); /* a quarter of the prefetch is settled */
        write_acks(a, false);
        assert_sent("ack:3:4+ ");
        settle(a, delivered[5], SETTLE_ACK);
        fake_now += 5;
        write_acks(a, false);
        assert_sent("ack:3:5+ ");
        settle(a, delivered[6], SETTLE_REJECT);
        assert_sent("reject:3:6 ");
        settle(a, delivered[9], SETTLE_REQUEUE);
        assert_sent("requeue:3:9 ");
        settle(a, delivered[7], SETTLE_ACK);
        write_acks(a, true);
        assert_sent("ack:3:7+ ");
        assert_int_equal(acker_bytes(a), 100);
        assert_false(acker_is_clear(a, DELIVERY_CHANNEL));
        acker_forget(a, DELIVERY_CHANNEL);
        assert_true(acker_is_clear(a, DELIVERY_CHANNEL));
        settle(a, delivered[8], SETTLE_ACK);
        write_acks(a, true);
        assert_sent("");
        assert_int_equal(acker_bytes(a), 0);
        acker_destroy(&a);
}

static void a_held_delivery_pins_its_channel(void **state)
{
        struct acker *a = acker_create();
        struct incoming *held = deliver(a, DELIVERY_CHANNEL, 1);
        uint64_t tag = 2;

        (void)state;
        for (; !acker_is_pinned(a, DELIVERY_CHANNEL) && tag < DELIVERED_MAX; tag++) {
                settle(a, deliver(a, DELIVERY_CHANNEL, tag), SETTLE_ACK);
                fake_now += 5;
                write_acks(a, false);
        }
        assert_true(acker_is_pinned(a, DELIVERY_CHANNEL));
        assert_true(fake_count("ack:3:") >= 256);
        assert_int_equal(fake_count("+"), 0);
        fake_forget();

        /* The pin does not affect another channel. */
        settle(a, deliver(a, DELIVERY_CHANNEL + 1, 1000), SETTLE_ACK);
        write_acks(a, true);
        assert_int_equal(fake_count("ack:4:1000+"), 1);
        assert_false(acker_is_pinned(a, DELIVERY_CHANNEL + 1));

        settle(a, held, SETTLE_ACK);
        write_acks(a, true);
        assert_false(acker_is_pinned(a, DELIVERY_CHANNEL));
        assert_true(acker_is_clear(a, DELIVERY_CHANNEL));
        fake_forget();
        acker_destroy(&a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(acks_are_batched),
                cmocka_unit_test(a_held_delivery_pins_its_channel),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
