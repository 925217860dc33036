/* SPDX-License-Identifier: Apache-2.0
 *
 * link_test.c: the notices that the owner has received decide what it can order. The test
 * acts as the link's thread.
 */
#include <stdlib.h>

#include "common/amqp/link.h"
#include "common/amqp/link_thread.h"
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
        const struct link_config config = {
                .urls = "amqp://127.0.0.1/v", .login = "l", .name = "test"};
        struct err e = {0};

        *rig = (struct rig){0};
        uv_loop_init(&rig->loop);
        rig->link = link_create(&config, &on, rig, &rig->loop, &e);
        assert_non_null(rig->link);
}

static void rig_fini(struct rig *rig)
{
        link_destroy(&rig->link);
        uv_run(&rig->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&rig->loop), 0);
}

static void give(enum notice_kind kind, uint64_t epoch)
{
        struct node_list notices = {0};

        notice_add(&notices, kind)->epoch = epoch;
        handover_give(handover, &notices);
}

/* Returns the connection of the only order; 0: there is no order. */
static uint64_t ordered(void)
{
        struct handed_over all = handover_take(handover);
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
        link_renew(rig.link);
        assert_int_equal(ordered(), 0); /* the owner has received no notice yet */

        give(NOTICE_UP, 1);
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        assert_int_equal(rig.ups, 1);
        give(NOTICE_DOWN, 0);
        give(NOTICE_UP, 2);
        link_renew(rig.link);
        assert_int_equal(ordered(), 1); /* the thread ignores the order: connection 2 is up */

        uv_run(&rig.loop, UV_RUN_NOWAIT);
        assert_int_equal(rig.ups, 2);
        link_renew(rig.link);
        assert_int_equal(ordered(), 2);

        give(NOTICE_DOWN, 0);
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        link_renew(rig.link);
        assert_int_equal(ordered(), 0);
        rig_fini(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(renews_the_connection_whose_up_was_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
