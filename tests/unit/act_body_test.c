/* SPDX-License-Identifier: Apache-2.0
 *
 * act_body_test.c: bodies of acts on jobs, their answers, and the turns of acts on one job.
 */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/base/own.h"
#include "status-store/acts/act_body.h"
#include "status-store/acts/under_way.h"

#define ID "0190aaaa-0000-7000-8000-000000000001"
#define OTHER "0190aaaa-0000-7000-8000-000000000002"

static void a_patch_is_one_of_three_acts(void **state)
{
        static const struct {
                const char *body;
                int refused;
                enum act_kind kind;
                msec run_at;
                int priority;
        } cases[] = {
                {"{\"run_at\":null}", 0, ACT_RUN_NOW, 0, -1},
                {"{\"run_at\":\"2027-01-01T00:00:00Z\"}", 0, ACT_MOVE, 1798761600000, -1},
                {"{\"priority\":\"high\"}", 0, ACT_PRIORITY, 0, PRIORITY_HIGH},
                {"{\"priority\":3,\"run_at\":null}", 0, ACT_RUN_NOW, 0, PRIORITY_CRITICAL},
                {"{}", 422, ACT_PRIORITY, 0, -1},
                {"[]", 422, ACT_PRIORITY, 0, -1},
                {"{\"run_at\":5}", 422, ACT_PRIORITY, 0, -1},
                {"{\"priority\":null}", 422, ACT_PRIORITY, 0, -1},
                {"{\"status\":\"pending\"}", 422, ACT_PRIORITY, 0, -1},
                {"{", 400, ACT_PRIORITY, 0, -1},
                {"", 400, ACT_PRIORITY, 0, -1},
        };
        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct act act = {.run_at = 0};
                struct scan_fault fault = {0};
                int refused = act_body_read_patch(bytes_of_text(cases[i].body), &act, &fault);
                if (refused != cases[i].refused)
                        fail_msg("%s: %d, %s", cases[i].body, refused, fault.detail);
                if (refused != 0) {
                        assert_string_not_equal(fault.detail, "");
                        continue;
                }
                assert_int_equal(act.kind, cases[i].kind);
                assert_int_equal(act.run_at, cases[i].run_at);
                assert_int_equal(act.priority, cases[i].priority);
        }
}

static void other_acts_have_no_members(void **state)
{
        struct scan_fault fault = {0};
        (void)state;
        assert_int_equal(act_body_read_empty(bytes_of_text(""), &fault), 0);
        assert_int_equal(act_body_read_empty(bytes_of_text("{}"), &fault), 0);
        assert_int_equal(act_body_read_empty(bytes_of_text("{\"force\":true}"), &fault), 422);
}

static void a_grant_is_asked_for_with_all_its_members(void **state)
{
        struct run_grant g;
        struct scan_fault fault = {0};
        (void)state;
        assert_int_equal(act_body_read_grant(bytes_of_text("{\"tenant\":\"acme\",\"id\":\"" ID
                                                           "\",\"after\":2,\"holder\":\"" OTHER
                                                           "\",\"later\":1}"),
                                             &g, &fault),
                         0);
        assert_string_equal(g.tenant, "acme");
        assert_string_equal(g.id, ID);
        assert_int_equal(g.after, 2);
        assert_int_equal(g.holder[15], 2);
        assert_int_equal(act_body_read_grant(bytes_of_text("{\"tenant\":\"acme\",\"id\":\"" ID
                                                           "\",\"after\":2}"),
                                             &g, &fault),
                         422);
}

static void check_answer(const struct act *act, const struct act_answer *answer, const char *want)
{
        AUTO_BUFFER out = {0};
        act_answer_write(act, answer, &out);
        assert_string_equal(out.data, want);
}

#define HEAD "{\"id\":\"" ID "\",\"tenant\":\"acme\",\"run\":2,"

static void answers_say_what_was_done(void **state)
{
        struct act act = {.kind = ACT_CANCEL, .id = ID};
        struct act_answer a = {.tenant = "acme",
                               .run = 2,
                               .attempt = 1,
                               .copy = 7,
                               .status = STATUS_CANCELLED,
                               .priority = PRIORITY_HIGH};
        (void)state;
        check_answer(&act, &a,
                     HEAD "\"status\":\"cancelled\",\"cancelling\":false,"
                          "\"workers_behind\":[]}");
        a.behind.count = 1;
        snprintf(a.behind.workers[0], sizeof(a.behind.workers[0]), "host/1");
        a.status = STATUS_RUNNING;
        a.cancelling = true;
        check_answer(&act, &a,
                     HEAD "\"status\":\"running\",\"cancelling\":true,"
                          "\"workers_behind\":[\"host/1\"]}");
        a.behind.unknown = true;
        check_answer(&act, &a,
                     HEAD "\"status\":\"running\",\"cancelling\":true,\"workers_behind\":null}");
        act.kind = ACT_MOVE;
        a.status = STATUS_PENDING;
        check_answer(&act, &a,
                     HEAD "\"attempt\":1,\"copy\":7,\"status\":\"pending\",\"run_at\":null,"
                          "\"priority\":\"high\"}");
        act.kind = ACT_RETRY;
        check_answer(&act, &a, HEAD "\"status\":\"pending\"}");
}

struct turn {
        struct under_way *jobs;
        bool entered;
};

static void *enter(void *owner)
{
        struct turn *t = owner;
        t->entered = under_way_enter(t->jobs, "acme", ID, clock_mono() + MSEC_MINUTE, NULL) == 0;
        if (t->entered)
                under_way_leave(t->jobs, "acme", ID);
        return NULL;
}

static void acts_on_one_job_take_turns(void **state)
{
        struct err e = {0};
        pthread_t thread;
        (void)state;
        AUTO(under_way) jobs = under_way_create();
        struct turn second = {.jobs = jobs};
        assert_int_equal(under_way_enter(jobs, "acme", ID, 0, &e), 0);
        assert_int_equal(under_way_enter(jobs, "acme", OTHER, 0, &e), 0);
        assert_int_equal(under_way_enter(jobs, "other", ID, 0, &e), 0);
        under_way_leave(jobs, "other", ID);
        assert_int_equal(under_way_enter(jobs, "acme", ID, clock_mono() + 20, &e), -1);
        assert_int_equal(e.code, ERR_UNAVAILABLE);
        assert_int_equal(pthread_create(&thread, NULL, enter, &second), 0);
        under_way_leave(jobs, "acme", ID);
        pthread_join(thread, NULL);
        assert_true(second.entered);
        under_way_close(jobs);
        err_clear(&e);
        assert_int_equal(under_way_enter(jobs, "acme", ID, clock_mono() + MSEC_MINUTE, &e), -1);
        under_way_leave(jobs, "acme", OTHER);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_patch_is_one_of_three_acts),
                cmocka_unit_test(other_acts_have_no_members),
                cmocka_unit_test(a_grant_is_asked_for_with_all_its_members),
                cmocka_unit_test(answers_say_what_was_done),
                cmocka_unit_test(acts_on_one_job_take_turns),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
