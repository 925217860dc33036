/* SPDX-License-Identifier: Apache-2.0
 *
 * next_step_test.c: what an attempt that has not started does next.
 */
#include "common/model/delay.h"
#include "consumer/next_step.h"

#include "tests/unit/unit.h"

#define NOW ((msec)1732250000000)

static void with_a_handler_or_before_its_time(void **state)
{
        static const struct handler short_one = {.timeout = 60000}, long_one = {.timeout = 3600000};
        static const struct {
                struct job job;
                const struct handler *handler;
                bool paused, suspect;
                enum next_step want;
        } rows[] = {
                {{.lane = LANE_LOW}, &short_one, false, false, NEXT_WAIT},
                {{.lane = LANE_LOW, .run_at = NOW}, &short_one, false, false, NEXT_WAIT},
                {{.lane = LANE_LOW, .run_at = NOW + 1}, &short_one, false, false, NEXT_HOLD},
                {{.lane = LANE_LOW, .run_at = NOW + 250}, &short_one, false, false, NEXT_HOLD},
                {{.lane = LANE_LOW, .run_at = NOW + 251}, &short_one, false, false, NEXT_DELAY},
                {{.lane = LANE_LOW, .run_at = NOW + 251}, NULL, true, true, NEXT_DELAY},
                {{.lane = LANE_LOW, .run_at = NOW + 251}, NULL, false, true, NEXT_DELAY},
                {{.lane = LANE_LOW, .run_at = NOW + 50}, NULL, false, false, NEXT_ASK_WHO},
                {{.lane = LANE_LOW}, NULL, false, true, NEXT_ASK_WHO},
                {{.lane = LANE_LOW}, NULL, true, true, NEXT_PARK},
                {{.lane = LANE_LOW}, &long_one, true, true, NEXT_PARK},
                {{.lane = LANE_LOW}, &long_one, false, true, NEXT_MOVE_TO_LONG},
                {{.lane = LANE_LONG}, &long_one, false, false, NEXT_WAIT},
                {{.lane = LANE_LONG}, &short_one, false, false, NEXT_WAIT},
                {{.lane = LANE_LOW, .timeout = 600001},
                 &short_one,
                 false,
                 false,
                 NEXT_MOVE_TO_LONG},
                {{.lane = LANE_LOW, .timeout = 600000}, &long_one, false, false, NEXT_WAIT},
                {{.lane = LANE_LOW}, &short_one, true, true, NEXT_PARK},
                {{.lane = LANE_LOW}, &short_one, false, true, NEXT_ASK_DUPLICATE},
                /* Whether it has expired comes before all else, but for a job that may run. */
                {{.expires_at = NOW + 1}, &short_one, false, false, NEXT_WAIT},
                {{.expires_at = NOW}, &short_one, false, false, NEXT_EXPIRE},
                {{.expires_at = NOW}, &short_one, false, true, NEXT_ASK_DUPLICATE},
                {{.expires_at = NOW, .run_at = NOW + 999}, NULL, false, false, NEXT_EXPIRE},
                {{.expires_at = NOW}, NULL, false, false, NEXT_EXPIRE},
                {{.expires_at = NOW}, NULL, false, true, NEXT_ASK_DUPLICATE},
                {{.expires_at = NOW}, &short_one, true, false, NEXT_EXPIRE},
                {{.expires_at = NOW}, &long_one, false, false, NEXT_EXPIRE},
                {{.lane = LANE_LOW, .run_at = NOW + 50},
                 &short_one,
                 false,
                 true,
                 NEXT_ASK_DUPLICATE},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                const struct next_view view = {
                        .hold = DELAY_HOLD_MAX,
                        .job = &rows[i].job,
                        .handler = rows[i].handler,
                        .paused = rows[i].paused,
                        .suspect = rows[i].suspect,
                };
                struct next next = next_step(&view, NOW);
                if (next.step != rows[i].want)
                        fail_msg("row %zu: %d", i, next.step);
        }
}

/* Its mark comes before all else. A message that may have a forgotten mark is asked about before
 * anything is published of it: what is published is young again. */
static void by_its_marks(void **state)
{
        static const struct handler one = {.timeout = 60000};
        static const struct {
                struct job job;
                enum mark_verdict mark;
                bool handled, paused, suspect, stale;
                enum next_step want;
        } rows[] = {
                {{.run = 1}, MARK_CANCELLED, true, false, false, false, NEXT_CANCEL},
                {{.expires_at = NOW}, MARK_CANCELLED, false, true, true, true, NEXT_CANCEL},
                {{.run_at = NOW + 5000}, MARK_CANCELLED, true, false, false, false, NEXT_CANCEL},
                {{.run = 1}, MARK_MOVED, false, false, true, true, NEXT_DROP},
                {{.expires_at = NOW}, MARK_MOVED, true, false, false, false, NEXT_DROP},
                {{.run_at = NOW + 5000}, MARK_NONE, true, false, true, true, NEXT_ASK_DUPLICATE},
                {{.run_at = NOW + 5000}, MARK_NONE, true, false, true, false, NEXT_DELAY},
                {{.run = 1}, MARK_NONE, true, true, true, true, NEXT_ASK_DUPLICATE},
                {{.run = 1}, MARK_NONE, false, false, true, true, NEXT_ASK_DUPLICATE},
                {{.timeout = 600001}, MARK_ASK, true, false, true, true, NEXT_ASK_DUPLICATE},
                {{.run_at = NOW + 50}, MARK_ASK, true, false, true, true, NEXT_ASK_DUPLICATE},
                /* A copy is held first: at its time it is known whether the old one started. */
                {{.run_at = NOW + 50, .copy = 9}, MARK_NONE, true, false, true, false, NEXT_HOLD},
                {{.copy = 9}, MARK_NONE, true, false, true, false, NEXT_ASK_DUPLICATE},
                {{.copy = 9, .run_at = NOW + 50},
                 MARK_NONE,
                 true,
                 false,
                 true,
                 true,
                 NEXT_ASK_DUPLICATE},
                {{.copy = 9}, MARK_NONE, true, false, false, false, NEXT_WAIT},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                const struct next_view view = {
                        .job = &rows[i].job,
                        .handler = rows[i].handled ? &one : NULL,
                        .hold = DELAY_HOLD_MAX,
                        .mark = rows[i].mark,
                        .paused = rows[i].paused,
                        .suspect = rows[i].suspect,
                        .stale = rows[i].stale,
                };
                struct next next = next_step(&view, NOW);
                if (next.step != rows[i].want)
                        fail_msg("row %zu: %d", i, next.step);
        }
}

/* The time since which no consumer handles the type is dropped where it no longer counts. */
static void what_is_remembered(void **state)
{
        static const struct handler handler = {.timeout = 60000};
        static const struct {
                msec run_at;
                const struct handler *handler;
                bool paused;
                msec want;
        } rows[] = {
                {NOW + 251, NULL, false, NOW - 5},
                {NOW + 251, &handler, false, 0},
                {0, NULL, false, NOW - 5},
                {0, NULL, true, 0},
                {0, &handler, true, 0},
                {0, &handler, false, 0},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                const struct job job = {
                        .lane = LANE_LOW, .run_at = rows[i].run_at, .unhandled_at = NOW - 5};
                const struct next_view view = {.hold = DELAY_HOLD_MAX,
                                               .job = &job,
                                               .handler = rows[i].handler,
                                               .paused = rows[i].paused};
                if (next_step(&view, NOW).unhandled_at != rows[i].want)
                        fail_msg("row %zu", i);
        }
}

static const struct {
        enum handled by;
        bool fresh, suspect;
        msec since, max, last_hop;
        struct next want;
} unhandled[] = {
        {HANDLED_UNKNOWN, false, false, 0, 60000, 0, {NEXT_HOP, HOP_UNKNOWN, 0, 0}},
        {HANDLED_UNKNOWN,
         false,
         true,
         NOW - 90000,
         60000,
         500,
         {NEXT_HOP, HOP_UNKNOWN, 1000, NOW - 90000}},
        {HANDLED_ELSEWHERE, true, false, 0, 60000, 200, {NEXT_HOP, HOP_ELSEWHERE, 400, 0}},
        {HANDLED_ELSEWHERE, false, true, NOW - 1, 0, 200, {NEXT_HOP, HOP_ELSEWHERE, 400, 0}},
        {HANDLED_BY_NONE, true, false, 0, 60000, 200, {NEXT_HOP, HOP_UNHANDLED, 0, NOW}},
        {HANDLED_BY_NONE, true, false, NOW, 60000, 200, {NEXT_HOP, HOP_UNHANDLED, 0, NOW}},
        {HANDLED_BY_NONE, true, false, NOW + 9, 60000, 0, {NEXT_HOP, HOP_UNHANDLED, 0, NOW}},
        {HANDLED_BY_NONE,
         true,
         true,
         NOW - 20000,
         60000,
         0,
         {NEXT_HOP, HOP_UNHANDLED, 20000, NOW - 20000}},
        {HANDLED_BY_NONE,
         true,
         false,
         NOW - 50000,
         60000,
         0,
         {NEXT_HOP, HOP_UNHANDLED, 10000, NOW - 50000}},
        {HANDLED_BY_NONE,
         true,
         false,
         NOW - 60000,
         60000,
         0,
         {.step = NEXT_BURY_UNHANDLED, .unhandled_at = NOW - 60000}},
        {HANDLED_BY_NONE,
         true,
         true,
         NOW - 60000,
         60000,
         0,
         {.step = NEXT_ASK_DUPLICATE, .unhandled_at = NOW - 60000}},
        {HANDLED_BY_NONE,
         false,
         false,
         NOW - 60000,
         60000,
         9000,
         {NEXT_HOP, HOP_UNKNOWN, 0, NOW - 60000}},
        {HANDLED_BY_NONE,
         true,
         false,
         NOW,
         0,
         0,
         {.step = NEXT_BURY_UNHANDLED, .unhandled_at = NOW}},
};

static void without_a_handler(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(unhandled); i++) {
                const struct job job = {
                        .lane = LANE_LOW,
                        .unhandled_at = unhandled[i].since,
                        .hop = unhandled[i].last_hop > 0,
                        .queued_at = NOW - unhandled[i].last_hop,
                        .due_at = NOW,
                };
                const struct next_view view = {
                        .hold = DELAY_HOLD_MAX,
                        .job = &job,
                        .suspect = unhandled[i].suspect,
                        .looked_up = true,
                        .by = unhandled[i].by,
                        .fresh = unhandled[i].fresh,
                        .unhandled_max = unhandled[i].max,
                };
                struct next next = next_step(&view, NOW), want = unhandled[i].want;
                if (next.step != want.step || next.wait != want.wait ||
                    next.unhandled_at != want.unhandled_at ||
                    (next.step == NEXT_HOP && next.why != want.why))
                        fail_msg("row %zu: %d %d %lld %lld", i, next.step, next.why,
                                 (long long)next.wait, (long long)next.unhandled_at);
        }
}

/* Time that the job lay in its queue, with no consumer looking at it, does not count. */
static void only_what_was_looked_at_counts(void **state)
{
        static const struct {
                msec since, lay, want;
                enum next_step step;
        } rows[] = {
                {NOW - 3600000, 0, NOW - 3600000, NEXT_BURY_UNHANDLED},
                {NOW - 3600000, 10000, NOW - 3600000, NEXT_BURY_UNHANDLED},
                {NOW - 3600000, 3590000, NOW - 10000, NEXT_HOP},
                {NOW - 3600000, 3600001, NOW, NEXT_HOP},
                {NOW - 3600000, 3000000, NOW - 600000, NEXT_BURY_UNHANDLED},
                {0, 3600000, NOW, NEXT_HOP},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(rows); i++) {
                const struct job job = {
                        .lane = LANE_LOW,
                        .unhandled_at = rows[i].since,
                        .hop = true,
                        .queued_at = NOW - rows[i].lay - 1000,
                        .due_at = NOW - rows[i].lay,
                };
                const struct next_view view = {
                        .hold = DELAY_HOLD_MAX,
                        .job = &job,
                        .looked_up = true,
                        .by = HANDLED_BY_NONE,
                        .fresh = true,
                        .unhandled_max = 600000,
                };
                struct next next = next_step(&view, NOW);
                if (next.step != rows[i].step || next.unhandled_at != rows[i].want)
                        fail_msg("row %zu: %d %lld", i, next.step, (long long)next.unhandled_at);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(with_a_handler_or_before_its_time),
                cmocka_unit_test(by_its_marks),
                cmocka_unit_test(what_is_remembered),
                cmocka_unit_test(only_what_was_looked_at_counts),
                cmocka_unit_test(without_a_handler),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
