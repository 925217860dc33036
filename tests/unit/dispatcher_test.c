/* SPDX-License-Identifier: Apache-2.0
 *
 * dispatcher_test.c: the notices that the owner has received decide what it can order. The test
 * acts as the link's thread.
 */
#include <stdlib.h>

#include "common/amqp/dispatcher.h"
#include "tests/unit/unit.h"

struct rig {
        uv_loop_t loop;
        struct dispatcher *dispatcher;
        struct handover *handover;
        unsigned ups;
};

static void on_up(void *owner)
{
        struct rig *rig = owner;

        rig->ups++;
}

static void rig_init(struct rig *rig)
{
        static const struct link_events on = {.up = on_up};
        struct err e = {0};

        *rig = (struct rig){0};
        uv_loop_init(&rig->loop);
        rig->dispatcher = dispatcher_create(&on, rig, &rig->loop, &e);
        assert_non_null(rig->dispatcher);
        const struct handover_config config = {.ring = dispatcher_ring, .owner = rig->dispatcher};
        rig->handover = handover_create(&config, &e);
        assert_non_null(rig->handover);
        dispatcher_use(rig->dispatcher, rig->handover);
}

static void rig_fini(struct rig *rig)
{
        dispatcher_destroy(&rig->dispatcher);
        handover_destroy(&rig->handover);
        uv_run(&rig->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&rig->loop), 0);
}

static void give(struct rig *rig, enum notice_kind kind, uint64_t epoch)
{
        struct node_list notices = {0};

        notice_add(&notices, kind)->epoch = epoch;
        handover_give(rig->handover, &notices);
}

/* Returns the connection of the only order; 0: there is no order. */
static uint64_t ordered(struct rig *rig)
{
        struct handed_over all = handover_take(rig->handover);
        struct order *o = (struct order *)node_list_take(&all.orders);
        uint64_t epoch = o != NULL ? o->epoch : 0;

        assert_null(all.orders.first);
        assert_true(o == NULL || o->kind == ORDER_RENEW);
        free(o);
        return epoch;
}

static void renews_the_connection_whose_up_was_told(void **state)
{
        struct rig rig;

        (void)state;
        rig_init(&rig);
        dispatcher_renew(rig.dispatcher);
        assert_int_equal(ordered(&rig), 0); /* the owner has received no notice yet */

        give(&rig, NOTICE_UP, 1);
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        assert_int_equal(rig.ups, 1);
        give(&rig, NOTICE_DOWN, 0);
        give(&rig, NOTICE_UP, 2);
        dispatcher_renew(rig.dispatcher);
        assert_int_equal(ordered(&rig), 1); /* the thread ignores the order: connection 2 is up */

        uv_run(&rig.loop, UV_RUN_NOWAIT);
        assert_int_equal(rig.ups, 2);
        dispatcher_renew(rig.dispatcher);
        assert_int_equal(ordered(&rig), 2);

        give(&rig, NOTICE_DOWN, 0);
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        dispatcher_renew(rig.dispatcher);
        assert_int_equal(ordered(&rig), 0);
        rig_fini(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(renews_the_connection_whose_up_was_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
