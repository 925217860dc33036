/* SPDX-License-Identifier: Apache-2.0
 *
 * status_audit_test.c: the projection hands over administrative acts before it commits, those that
 * gateways told, and reads a batch again whose acts could not be stored.
 */
#include "tests/unit/status_rig.h"

#define ACT \
        "{\"event\":\"act\",\"act\":\"01980000-0000-7000-8000-000000000001\"," \
        "\"at\":1764000000000,\"by\":\"key k\",\"what\":\"tenant.change\"}\n"
#define ACTED \
        "{\"event\":\"acted\",\"act\":\"01980000-0000-7000-8000-000000000001\"," \
        "\"at\":1764000000001,\"status\":200}\n"

struct acts {
        struct buffer lines;
        bool refuse;
        int calls;
};

static int take(void *owner, struct bytes lines, struct err *e)
{
        struct acts *a = owner;

        a->calls++;
        if (a->refuse)
                return err_set(e, ERR_UNAVAILABLE, "the disk is full");
        buffer_add(&a->lines, lines.data, lines.length);
        return 0;
}

static void follow(struct rig *r, struct acts *a)
{
        static const struct projection_events events = {.acts = take};

        rig_open(r);
        projection_on_commit(r->projection, &events, a);
}

static void tell(struct rig *r, const char *lines, const char *login)
{
        const struct message m = {.exchange = bytes_of_text("events"),
                                  .content_type = bytes_of_text(EVENTS_CONTENT_TYPE),
                                  .user_id = bytes_of_text(login),
                                  .body = bytes_of_text(lines)};

        projection_fold(r->projection, &m, r->offset++);
}

static void acts_are_handed_over_in_their_order(void **state)
{
        struct acts a = {.calls = 0};
        struct rig r;

        (void)state;
        follow(&r, &a);
        tell(&r, ACT, "warren-gateway");
        tell(&r, ACTED ACT, "warren-gateway");
        assert_int_equal(a.calls, 0);
        rig_commit(&r);
        assert_int_equal(a.calls, 1);
        assert_string_equal(a.lines.data, ACT ACTED ACT);
        rig_commit(&r);
        assert_int_equal(a.calls, 1);
        buffer_fini(&a.lines);
        rig_close(&r);
}

static void those_of_others_than_gateways_count_for_nothing(void **state)
{
        struct acts a = {.calls = 0};
        struct rig r;

        (void)state;
        follow(&r, &a);
        tell(&r, ACT, "acme");
        tell(&r, ACT, "");
        tell(&r, ACT, "warren-consumer");
        rig_commit(&r);
        assert_int_equal(a.calls, 0);
        rig_close(&r);
}

static void a_batch_whose_acts_are_refused_is_not_committed(void **state)
{
        struct acts a = {.refuse = true};
        struct err e = {0};
        struct rig r;

        (void)state;
        follow(&r, &a);
        tell(&r, ACT, "warren-gateway");
        assert_int_equal(projection_commit(r.projection, &e), -1);
        assert_int_equal(e.code, ERR_UNAVAILABLE);
        assert_false(projection_position(r.projection)->known);
        a.refuse = false;
        r.offset = 0;
        tell(&r, ACT, "warren-gateway");
        rig_commit(&r);
        assert_string_equal(a.lines.data, ACT);
        assert_true(projection_position(r.projection)->known);
        buffer_fini(&a.lines);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(acts_are_handed_over_in_their_order),
                cmocka_unit_test(those_of_others_than_gateways_count_for_nothing),
                cmocka_unit_test(a_batch_whose_acts_are_refused_is_not_committed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
