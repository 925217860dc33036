/* SPDX-License-Identifier: Apache-2.0
 *
 * link_test.c: notices reach the owners that are still there. The test acts as the link's
 * thread.
 */
#include <stdlib.h>

#include "common/amqp/link.h"
#include "common/amqp/link_thread.h"
#include "common/base/memory.h"
#include "tests/unit/unit.h"

static struct handover *handover;

struct link_thread *__wrap_link_thread_start(const struct link_settings *s, struct handover *h,
                                             struct err *e);
void __wrap_link_thread_end(struct link_thread **t);

struct link_thread *__wrap_link_thread_start(const struct link_settings *s, struct handover *h,
                                             struct err *e)
{
        static int nothing;

        (void)s;
        (void)e;
        handover = h;
        return (struct link_thread *)&nothing;
}

void __wrap_link_thread_end(struct link_thread **t)
{
        *t = NULL;
}

struct rig {
        uv_loop_t loop;
        struct link *link;
        struct subscription *subscription;
        unsigned deliveries;
};

static void on_delivery(void *owner, struct delivery *d)
{
        struct rig *rig = owner;

        rig->deliveries++;
        link_settle(&d, SETTLE_ACK);
}

static enum source_start from_seven(void *owner, int64_t *offset)
{
        (void)owner;
        *offset = 7;
        return SOURCE_OFFSET;
}

/* Returns the only order, or NULL; the caller frees it. */
static struct order *ordered(void)
{
        struct handed_over all = handover_take(handover);

        assert_null(all.settles.first);
        assert_ptr_equal(all.orders.first, all.orders.last);
        return (struct order *)all.orders.first;
}

static void assert_ordered(enum order_kind kind)
{
        struct order *o = ordered();

        assert_non_null(o);
        assert_int_equal(o->kind, kind);
        free(o);
}

static void rig_init(struct rig *rig)
{
        const struct link_config config = {
                .urls = "amqp://127.0.0.1/v", .login = "l", .name = "test"};
        const struct source source = {
                .queue = "q", .prefetch = 1, .stream = true, .start = from_seven};
        struct err e = {0};

        *rig = (struct rig){0};
        uv_loop_init(&rig->loop);
        rig->link = link_create(&config, NULL, NULL, &rig->loop, &e);
        assert_non_null(rig->link);
        rig->subscription = link_subscribe(rig->link, &source, on_delivery, rig);
        assert_ordered(ORDER_SUBSCRIBE);
}

static void rig_fini(struct rig *rig)
{
        link_destroy(&rig->link);
        uv_run(&rig->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&rig->loop), 0);
}

static void ask_where(struct rig *rig, struct subscription *s)
{
        struct node_list notices = {0};
        struct notice_plain *n = notice_add(&notices, NOTICE_WHERE);

        n->subscription = s;
        n->epoch = 3;
        handover_give(handover, &notices);
        uv_run(&rig->loop, UV_RUN_NOWAIT);
}

static void a_streams_start_is_asked_of_its_owner(void **state)
{
        struct rig rig;

        (void)state;
        rig_init(&rig);
        struct subscription *s = rig.subscription;
        ask_where(&rig, s);
        struct order *o = ordered();
        assert_non_null(o);
        assert_int_equal(o->kind, ORDER_CONSUME);
        assert_int_equal(o->epoch, 3);
        assert_int_equal(o->start, SOURCE_OFFSET);
        assert_int_equal(o->offset, 7);
        free(o);

        link_unsubscribe(&rig.subscription);
        assert_ordered(ORDER_UNSUBSCRIBE);
        ask_where(&rig, s); /* the thread had asked before it took the order */
        assert_null(ordered());
        rig_fini(&rig);
}

/* Returns how the delivery was settled. */
static enum settle deliver(struct rig *rig, struct subscription *s, uint64_t epoch)
{
        struct incoming *in = xcalloc(1, sizeof(*in));
        struct node_list notices = {0};

        in->channel = DELIVERY_CHANNEL;
        in->epoch = epoch;
        in->delivery.subscription = s;
        in->notice.kind = NOTICE_DELIVERY;
        node_list_add(&notices, &in->notice.node);
        handover_give(handover, &notices);
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        struct handed_over all = handover_take(handover);
        assert_ptr_equal(all.settles.first, in);
        enum settle how = in->how;
        free(in);
        return how;
}

static void a_delivery_without_an_owner_goes_back(void **state)
{
        struct rig rig;

        (void)state;
        rig_init(&rig);
        struct subscription *s = rig.subscription;
        atomic_store(&handover_live(handover)[0], 2);
        assert_int_equal(deliver(&rig, s, 2), SETTLE_ACK);
        assert_int_equal(rig.deliveries, 1);
        assert_int_equal(deliver(&rig, s, 1), SETTLE_REQUEUE); /* its channel was closed */
        link_unsubscribe(&rig.subscription);
        assert_ordered(ORDER_UNSUBSCRIBE);
        assert_int_equal(deliver(&rig, s, 2), SETTLE_REQUEUE);
        assert_int_equal(rig.deliveries, 1);
        rig_fini(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_streams_start_is_asked_of_its_owner),
                cmocka_unit_test(a_delivery_without_an_owner_goes_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
