/* SPDX-License-Identifier: Apache-2.0
 *
 * doubts_test.c: what is published about submissions that the broker may hold in the stream only,
 * when it is published, and that it is repeated until it is confirmed. Fakes replace the link and
 * the clock.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "common/base/uuid.h"
#include "common/model/event.h"
#include "gateway/doubts.h"

static struct {
        bool up, full;
        enum link_result result; /* the result of every publish, delivered by answer() */
        struct publish_wait wait;
        size_t lines; /* in the message that is not answered yet; 0: none */
        char why[64];
} played;

static msec now = 1000000;

bool __wrap_link_is_up(const struct link *l);
int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e);
msec __wrap_clock_mono(void);

bool __wrap_link_is_up(const struct link *l)
{
        (void)l;
        return played.up;
}

msec __wrap_clock_mono(void)
{
        return now;
}

static void on_event(void *owner, const struct event *event)
{
        (void)owner;
        assert_int_equal(event->kind, EVENT_REJECTED);
        assert_string_equal(event->tenant, "acme");
        snprintf(played.why, sizeof(played.why), "%.*s", (int)event->why.length, event->why.data);
        played.lines++;
}

int __wrap_link_publish(struct link *l, const struct message *m, const struct publish_wait *done,
                        struct err *e)
{
        static const struct job_limits limits = {.payload_max = 1024};
        uint64_t skipped = 0;

        (void)l;
        if (played.full || played.lines > 0)
                return err_set(e, ERR_FULL, "full");
        events_of_message(m, &limits, on_event, NULL, &skipped);
        assert_int_equal(skipped, 0);
        played.wait = *done;
        return 0;
}

/* Answers the message under way; returns its number of events, 0: nothing was published. The link
 * takes one message at a time. */
static size_t answer(enum link_result result)
{
        size_t lines = played.lines;

        played.lines = 0;
        if (lines > 0)
                played.wait.done(played.wait.owner, result);
        return lines;
}

struct rig {
        uv_loop_t loop;
        struct doubts *doubts;
};

static void rig_open(struct rig *r)
{
        memset(&played, 0, sizeof(played));
        played.up = true;
        uv_loop_init(&r->loop);
        r->doubts = doubts_create(&r->loop);
        doubts_use(r->doubts, (struct link *)(void *)&played);
}

static void rig_close(struct rig *r)
{
        doubts_destroy(&r->doubts);
        uv_run(&r->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&r->loop), 0);
}

static void doubt(struct rig *r, enum doubt_cause cause)
{
        struct job job = {.tenant = "acme", .run = 1};

        uuid7(job.id);
        doubts_add(r->doubts, &job, cause, doubts_losses(r->doubts));
}

static size_t told(struct rig *r)
{
        doubts_publish(r->doubts);
        return answer(LINK_CONFIRMED);
}

static void each_is_told_once(void **state)
{
        static const struct {
                enum doubt_cause cause;
                const char *why;
        } table[] = {{DOUBT_NACK, "broker nack"}, {DOUBT_LOST, "no confirm"}};
        struct rig r;

        (void)state;
        for (size_t i = 0; i < COUNT(table); i++) {
                rig_open(&r);
                doubt(&r, table[i].cause);
                assert_int_equal(told(&r), 1);
                assert_string_equal(played.why, table[i].why);
                assert_int_equal(told(&r), 0);
                rig_close(&r);
        }
}

/* A failed publish is repeated whatever ended it, and by the timer alone. */
static void it_is_told_until_it_is_confirmed(void **state)
{
        static const enum link_result results[] = {LINK_NACKED, LINK_EXPIRED, LINK_CLOSED,
                                                   LINK_RETURNED};
        struct rig r;

        (void)state;
        rig_open(&r);
        doubt(&r, DOUBT_LOST);
        for (size_t i = 0; i < COUNT(results); i++) {
                while (played.lines == 0)
                        uv_run(&r.loop, UV_RUN_ONCE);
                assert_int_equal(answer(results[i]), 1);
        }
        played.full = true;
        assert_int_equal(told(&r), 0);
        played.full = false;
        played.up = false;
        assert_int_equal(told(&r), 0);
        played.up = true;
        assert_int_equal(told(&r), 1);
        rig_close(&r);
}

static void a_late_one_is_told_when_the_link_goes(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r);
        doubt(&r, DOUBT_LATE);
        assert_int_equal(told(&r), 0);
        doubts_link_down(r.doubts);
        assert_int_equal(told(&r), 1);

        doubt(&r, DOUBT_LATE);
        now += 31 * MSEC_SECOND; /* the submission was only slow */
        doubts_link_down(r.doubts);
        assert_int_equal(told(&r), 0);
        rig_close(&r);
}

static void a_late_one_whose_link_went_before_it_was_added(void **state)
{
        struct rig r;
        struct job job = {.id = "01900000-0000-7000-8000-000000000001", .tenant = "acme", .run = 1};

        (void)state;
        rig_open(&r);
        unsigned losses = doubts_losses(r.doubts);
        doubts_link_down(r.doubts);
        doubts_add(r.doubts, &job, DOUBT_LATE, losses);
        assert_int_equal(told(&r), 1);
        rig_close(&r);
}

static void many_are_told_in_several_messages(void **state)
{
        struct rig r;
        size_t most = 0, all = 0;

        (void)state;
        rig_open(&r);
        for (int i = 0; i < 600; i++)
                doubt(&r, DOUBT_LOST);
        doubts_publish(r.doubts);
        assert_int_in_range(answer(LINK_NACKED), 100, 500);
        for (size_t count; (count = told(&r)) > 0; all += count)
                most = count > most ? count : most;
        assert_int_equal(all, 600);
        assert_int_in_range(most, 100, 500);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_is_told_once),
                cmocka_unit_test(it_is_told_until_it_is_confirmed),
                cmocka_unit_test(a_late_one_is_told_when_the_link_goes),
                cmocka_unit_test(a_late_one_whose_link_went_before_it_was_added),
                cmocka_unit_test(many_are_told_in_several_messages),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
