/* SPDX-License-Identifier: Apache-2.0
 *
 * service_test.c: the first signal asks to stop, the second ends the program, SIGHUP reloads.
 */
#include "tests/unit/unit.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/service.h"

struct seen {
        struct service *service;
        int stops, reloads;
        int end_after; /* stops; 0: never */
};

static void on_stop(void *owner)
{
        struct seen *s = owner;

        s->stops++;
        if (s->stops == s->end_after)
                service_end(s->service, 7);
        else
                kill(getpid(), SIGINT);
}

static void on_reload(void *owner)
{
        struct seen *s = owner;

        s->reloads++;
        kill(getpid(), SIGTERM);
}

static const struct service_events events = {.stop = on_stop, .reload = on_reload};

static void test_signals(void **state)
{
        static const struct {
                int end_after, first, want_status, want_reloads;
        } table[] = {
                {1, SIGTERM, 7, 0},
                {1, SIGINT, 7, 0},
                {1, SIGHUP, 7, 1},
                {0, SIGTERM, 1, 0},
        };

        (void)state;
        log_open("unit", LOG_LEVEL_ERROR);
        for (size_t i = 0; i < COUNT(table); i++) {
                struct err e = {0};
                struct seen seen = {.end_after = table[i].end_after};
                seen.service = service_create(&events, &seen, &e);
                assert_non_null(seen.service);
                kill(getpid(), table[i].first);
                assert_int_equal(service_run(seen.service), table[i].want_status);
                assert_int_equal(seen.stops, 1);
                assert_int_equal(seen.reloads, table[i].want_reloads);
                service_destroy(&seen.service);
                assert_null(seen.service);
        }
}

static void on_timer(uv_timer_t *timer)
{
        struct seen *s = timer->data;

        uv_close((uv_handle_t *)timer, NULL);
        service_end(s->service, 3);
}

static void test_handles_of_others_are_awaited(void **state)
{
        struct err e = {0};
        struct seen seen = {0};
        uv_timer_t timer = {.data = &seen};

        (void)state;
        seen.service = service_create(&events, &seen, &e);
        assert_non_null(seen.service);
        uv_timer_init(service_loop(seen.service), &timer);
        uv_timer_start(&timer, on_timer, 0, 0);
        assert_int_equal(service_run(seen.service), 3);
        service_destroy(&seen.service);
}

static void test_the_process_is_settled(void **state)
{
        struct err e = {0};
        struct seen seen = {0};
        struct rlimit files;

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
        files.rlim_cur = 100;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
        sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
        umask(026);
        seen.service = service_create(&events, &seen, &e);
        assert_non_null(seen.service);
        const struct process_start *was = service_process_start(seen.service);
        assert_int_equal(was->scheduling, SCHED_OTHER);
        assert_int_equal(was->umask, 026);
        assert_int_equal(was->open_files, 100);
        assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
        assert_true(files.rlim_cur == files.rlim_max);
        assert_int_equal(umask(022), 077);
        service_destroy(&seen.service);

        /* A scheduling policy that is already set stays. */
        sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
        seen.service = service_create(&events, &seen, &e);
        assert_int_equal(service_process_start(seen.service)->scheduling, SCHED_IDLE);
        assert_int_equal(sched_getscheduler(0), SCHED_IDLE);
        service_destroy(&seen.service);
        sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_signals),
                cmocka_unit_test(test_handles_of_others_are_awaited),
                cmocka_unit_test(test_the_process_is_settled),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
