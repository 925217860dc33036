/* SPDX-License-Identifier: Apache-2.0
 *
 * link_test.c: the notices that the owner has received decide what it can order; a link may go in
 * a callback. The test acts as the link's thread.
 */
#include <stdlib.h>

#include "common/amqp/link.h"
#include "common/amqp/link_thread.h"
#include "common/base/own.h"
#include "tests/unit/unit.h"

static struct handover *handover;
static struct node_list notices_at_end; /* that the thread gives while it ends */

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
        if (TAKE(*t) == NULL)
                return;
        handover_stop(handover);
        handover_give(handover, &notices_at_end);
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

static void rig_init(struct rig *rig, const struct link_events *on)
{
        const struct link_config config = {
                .urls = "amqp://127.0.0.1/v", .login = "l", .name = "test", .resend = true};
        struct err e = {0};

        *rig = (struct rig){0};
        uv_loop_init(&rig->loop);
        rig->link = link_create(&config, on, rig, &rig->loop, &e);
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
        static const struct link_events on = {.up = on_up};
        struct rig rig;

        (void)state;
        rig_init(&rig, &on);
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

static void destroy_on_up(void *owner)
{
        struct rig *rig = owner;

        link_destroy(&rig->link);
}

static void count_closed(void *owner, enum link_result result)
{
        unsigned *count = owner;

        assert_int_equal(result, LINK_CLOSED);
        *count += 1;
}

static void count_declared(void *owner, const struct err *why, uint32_t messages,
                           uint32_t consumers)
{
        unsigned *count = owner;

        (void)why;
        (void)messages;
        (void)consumers;
        *count += 1;
}

static void publish_and_declare(struct rig *rig, unsigned *ended)
{
        const struct message m = {.exchange = bytes_of_text("any")};
        const struct declaration d = {.what = COUNT_QUEUE, .name = "q"};
        const struct publish_wait wait = {.done = count_closed, .owner = ended};
        struct err e = {0};

        assert_int_equal(link_publish(rig->link, &m, &wait, &e), 0);
        link_declare(rig->link, &d, count_declared, ended);
}

/* As the link's thread: reports how what was handed over has ended. */
static void end_all(struct node_list *notices)
{
        struct handed_over all = handover_take(handover);
        struct outgoing *o = (struct outgoing *)node_list_take(&all.publishes);
        struct request *r = (struct request *)node_list_take(&all.requests);

        o->notice.kind = NOTICE_PUBLISHED;
        o->result = LINK_CLOSED;
        node_list_add(notices, &o->notice.node);
        r->notice.kind = NOTICE_DECLARED;
        node_list_add(notices, &r->notice.node);
}

/* Some notices are taken with `up`, others are given meanwhile. All that was promised is called. */
static void goes_in_a_callback(void **state)
{
        static const struct link_events on = {.up = destroy_on_up};
        struct rig rig;
        struct node_list notices = {0};
        unsigned ended = 0;

        (void)state;
        rig_init(&rig, &on);
        publish_and_declare(&rig, &ended);
        notice_add(&notices, NOTICE_UP)->epoch = 1;
        end_all(&notices);
        notice_add(&notices, NOTICE_DOWN);
        handover_give(handover, &notices);
        publish_and_declare(&rig, &ended);
        end_all(&notices_at_end);
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        assert_null(rig.link);
        assert_int_equal(ended, 4);
        rig_fini(&rig);
}

static void expect_unavailable(void *owner, const struct err *why, uint32_t messages,
                               uint32_t consumers)
{
        assert_non_null(why);
        assert_int_equal(why->code, ERR_UNAVAILABLE);
        count_declared(owner, why, messages, consumers);
}

/* Another thread uses the link until it is told to end. */
static void ends_what_is_asked_for_after_a_stop(void **state)
{
        const struct declaration d = {.what = COUNT_QUEUE, .name = "q"};
        const struct message m = {.exchange = bytes_of_text("any")};
        struct rig rig;
        struct err e = {0};
        unsigned ended = 0;

        (void)state;
        rig_init(&rig, NULL);
        publish_and_declare(&rig, &ended);
        end_all(&notices_at_end);
        link_stop(rig.link);
        link_declare(rig.link, &d, expect_unavailable, &ended);
        assert_int_equal(link_publish(rig.link, &m, NULL, &e), -1);
        assert_int_equal(e.code, ERR_UNAVAILABLE);
        assert_int_equal(ended, 0);
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        assert_int_equal(ended, 3);
        link_declare(rig.link, &d, expect_unavailable, &ended);
        rig_fini(&rig);
        assert_int_equal(ended, 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(renews_the_connection_whose_up_was_told),
                cmocka_unit_test(goes_in_a_callback),
                cmocka_unit_test(ends_what_is_asked_for_after_a_stop),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
