/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_room_test.c: a start for which the system lacks resources is put off, and no event reports
 * it.
 */
#include "tests/unit/runner_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/own.h"
#include "consumer/launch/launch.h"
#include "consumer/runner/shortage.h"

#define TYPE_CAT "\"cat\": {\"exec\": [\"/bin/cat\"]}"

static void tells_a_shortage_from_a_fault(void **state)
{
        static const struct {
                int number;
                enum err_code want;
        } cases[] = {
                {EMFILE, ERR_FULL}, {ENFILE, ERR_FULL},  {EAGAIN, ERR_FULL},   {ENOMEM, ERR_FULL},
                {ENOSPC, ERR_FULL}, {EPERM, ERR_SYSTEM}, {ENOENT, ERR_SYSTEM},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct err e = {0};
                errno = cases[i].number;
                assert_int_equal(shortage_err(&e, "cannot %s", "fly"), -1);
                assert_int_equal(e.code, cases[i].want);
                assert_memory_equal(e.text, "cannot fly: ", 12);
                errno = EMFILE; /* the first error wins */
                shortage_err(&e, "cannot land");
                assert_int_equal(e.code, cases[i].want);
        }
}

static void counts_the_files_it_needs(void **state)
{
        static const struct {
                const char *plugins, *types;
                int64_t programs, hosts;
        } cases[] = {
                {"", TYPE_CAT, 100, 0},
                {"", "\"a\": {\"exec\": [\"a\"], \"concurrency\": 3}", 3, 0},
                {"", "\"a\": {\"exec\": [\"a\"], \"concurrency\": 90}, " TYPE_CAT, 100, 0},
                {"\"basic\": {\"file\": \"" BASIC_PLUGIN "\", \"processes\": 2}",
                 "\"n\": {\"plugin\": \"basic\", \"handler\": \"noop\"}", 0, 3},
                {"\"basic\": {\"file\": \"" BASIC_PLUGIN "\"}", TYPE_CAT, 100, 101},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO(bench) b = bench_create(cases[i].plugins, cases[i].types, 1);
                assert_int_equal(open_files_needed(b->handlers, 100),
                                 FILES_OF_CONSUMER + FILES_SPARED + FILES_OF_START +
                                         FILES_OF_PROGRAM * cases[i].programs +
                                         FILES_OF_HOST * cases[i].hosts);
        }
}

static void limit_open_files(rlim_t soft)
{
        struct rlimit limit;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = soft;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int lowest_free(void)
{
        int fd = dup(STDERR_FILENO);

        close(fd);
        return fd;
}

/* The number of descriptors that can still be opened. */
static int count_free(void)
{
        int fd = dup(STDERR_FILENO);

        if (fd < 0)
                return 0;
        int count = 1 + count_free();
        close(fd);
        return count;
}

static bool has_room(void *of)
{
        struct bench *b = of;

        return runner_has_room(b->runner, handlers_find(b->handlers, "cat"));
}

/* Returns NULL when there is no room. */
static struct run *try_start(struct bench *b, struct told *told)
{
        const struct job job = {.id = "x",
                                .tenant = "acme",
                                .type = "cat",
                                .run = 1,
                                .payload = bytes_of_text("1")};
        struct err e = {0};

        struct run *run = bench_try(b, &job, 20000, told, &e);
        if (run == NULL)
                assert_int_equal(e.code, ERR_FULL);
        return run;
}

static unsigned put_off(struct bench *b, const char *kind)
{
        AUTO_BUFFER all = {0};
        char line[128];
        unsigned count = 0;

        metrics_write(b->metrics, &all);
        snprintf(line, sizeof(line), "warren_starts_put_off_total{kind=\"%s\"} ", kind);
        const char *at = strstr(all.data, line);
        if (at != NULL)
                assert_int_equal(sscanf(at + strlen(line), "%u", &count), 1);
        return count;
}

enum { JOBS = 20 };

static bool any_ended(void *of)
{
        const struct told *all = of;

        for (size_t i = 0; i < JOBS; i++) {
                if (all[i].ended && all[i].bench != NULL)
                        return true;
        }
        return false;
}

/* Starts as many runs as there is room for, and the next when one has ended. Returns the most that
 * ran at once. */
static unsigned run_all(struct bench *b, struct told all[JOBS])
{
        unsigned most = 0;

        for (size_t next = 0; next < JOBS || runner_running(b->runner) > 0;) {
                while (next < JOBS && has_room(b) && try_start(b, &all[next]) != NULL)
                        next++;
                if (runner_running(b->runner) > most)
                        most = runner_running(b->runner);
                if (runner_running(b->runner) == 0)
                        bench_until(b, has_room, b);
                else
                        bench_until(b, any_ended, all);
                for (size_t i = 0; i < JOBS; i++) {
                        if (all[i].ended)
                                all[i].bench = NULL;
                }
        }
        return most;
}

static void starts_programs_as_descriptors_allow(void **state)
{
        struct told all[JOBS] = {0};

        (void)state;
        AUTO(bench) b = bench_create("", TYPE_CAT, 1);
        limit_open_files((rlim_t)lowest_free() + FILES_OF_START + 3 * FILES_OF_PROGRAM +
                         FILES_SPARED);
        assert_int_in_range(run_all(b, all), 2, 4);
        for (size_t i = 0; i < JOBS; i++) {
                assert_true(all[i].ended && all[i].begins == 1 && all[i].put_off == 0);
                assert_int_equal(all[i].end.outcome, OUTCOME_DONE);
                told_fini(&all[i]);
        }
        assert_true(put_off(b, "exec") > 0);
        assert_int_equal(put_off(b, "plugin"), 0);
}

/* A start is tried again after a while even if no run is left whose end would make room. */
static void tries_again_when_time_has_passed(void **state)
{
        AUTO_TOLD told = {0};

        (void)state;
        AUTO(bench) b = bench_create("", TYPE_CAT, 1);
        limit_open_files((rlim_t)lowest_free());
        assert_null(try_start(b, &told));
        assert_false(has_room(b));
        limit_open_files(1024);
        bench_until(b, has_room, b);
        bench_run(b, "cat", "1", 20000, &told);
        assert_int_equal(told.end.outcome, OUTCOME_DONE);
        assert_int_equal(told.put_off, 0);
}

/* Descriptors may run out at any point of a start: each of its descriptors is tried. */
static void no_start_fails_for_want_of_a_descriptor(void **state)
{
        (void)state;
        for (int few = 0; few <= FILES_OF_PROGRAM + FILES_OF_START; few++) {
                AUTO_TOLD told = {0};
                AUTO(bench) b = bench_create("", TYPE_CAT, 1);
                int before = lowest_free();

                limit_open_files((rlim_t)(before + few));
                struct run *run = try_start(b, &told);
                limit_open_files(1024);
                assert_null(run);
                assert_int_equal(lowest_free(), before);
        }
}

static struct bench *with_launcher(const char *script)
{
        char path[128];

        snprintf(path, sizeof(path), "/tmp/warren-launcher-%d", (int)getpid());
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        fprintf(file, "#!/bin/sh\n%s\n", script);
        fclose(file);
        assert_int_equal(chmod(path, 0755), 0);
        struct bench *b = bench_create_with("",
                                            TYPE_CAT ", \"small\": {\"exec\": [\"/bin/cat\"],"
                                                     " \"memory\": \"1MiB\"}",
                                            1, path);
        return b;
}

static void launcher_gone(void)
{
        char path[128];

        snprintf(path, sizeof(path), "/tmp/warren-launcher-%d", (int)getpid());
        unlink(path);
}

static void what_the_launcher_lacks_is_no_failure(void **state)
{
        static const struct {
                int number; /* 0: the launcher reports nothing and is killed */
                const char *type;
                bool want_put_off;
        } cases[] = {
                {EAGAIN, "cat", true}, {ENFILE, "cat", true},    {EMFILE, "cat", true},
                {ENOMEM, "cat", true}, {ENOMEM, "small", false}, {ENOENT, "cat", false},
                {0, "cat", true},
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO_TOLD told = {0};
                char script[128] = "kill -KILL $$";
                if (cases[i].number != 0)
                        snprintf(script, sizeof(script),
                                 "printf '\\%03o\\0\\0\\0\\%03o\\0\\0\\0' >&4", LAUNCH_EXEC,
                                 cases[i].number);
                AUTO(bench) b = with_launcher(script);
                bench_start(b, cases[i].type, "1", 20000, &told);
                bench_until(b, cases[i].want_put_off ? told_put_off : told_ended, &told);
                launcher_gone();
                assert_int_equal(told.put_off, cases[i].want_put_off);
                assert_int_equal(told.begins, !cases[i].want_put_off);
                assert_int_equal(runner_running(b->runner), 0);
                assert_int_equal(has_room(b), !cases[i].want_put_off);
                assert_int_equal(put_off(b, "exec"), cases[i].want_put_off);
        }
}

static bool host_is_up(void *of)
{
        struct bench *b = of;

        return runner_has_room(b->runner, handlers_find(b->handlers, "noop"));
}

static bool host_was_put_off(void *of)
{
        return put_off(of, "plugin") > 0;
}

static void a_plugin_host_is_started_when_there_is_room(void **state)
{
        AUTO_TOLD told = {0};

        (void)state;
        AUTO(bench) b =
                bench_create("\"basic\": {\"file\": \"" BASIC_PLUGIN "\", \"processes\": 1}",
                             "\"fail\": {\"plugin\": \"basic\", \"handler\": \"fail\"},"
                             "\"noop\": {\"plugin\": \"basic\", \"handler\": \"noop\"}",
                             1);
        bench_start(b, "fail", "{\"crash\": true}", 20000, &told);
        limit_open_files((rlim_t)lowest_free() - 1);
        bench_until(b, host_was_put_off, b);
        assert_false(host_is_up(b));
        limit_open_files(1024);
        bench_until(b, host_is_up, b);
        assert_int_equal(told.end.error_kind, ERROR_KIND_CRASH);
}

/* Hosts live on, so descriptors that they took would be missing permanently. */
static void a_pool_leaves_descriptors_to_the_consumer(void **state)
{
        enum { OF_BENCH = 20 };

        (void)state;
        limit_open_files((rlim_t)lowest_free() + OF_BENCH + FILES_SPARED_BY_HOSTS);
        AUTO(bench) b =
                bench_create("\"basic\": {\"file\": \"" BASIC_PLUGIN "\", \"processes\": 40}",
                             "\"noop\": {\"plugin\": \"basic\", \"handler\": \"noop\"}", 1);
        bench_until(b, host_was_put_off, b);
        assert_true(host_is_up(b));
        int left = count_free();
        limit_open_files(1024);
        assert_int_in_range(left, FILES_SPARED_BY_HOSTS, FILES_SPARED_BY_HOSTS + OF_BENCH);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tells_a_shortage_from_a_fault),
                cmocka_unit_test(counts_the_files_it_needs),
                cmocka_unit_test(starts_programs_as_descriptors_allow),
                cmocka_unit_test(tries_again_when_time_has_passed),
                cmocka_unit_test(no_start_fails_for_want_of_a_descriptor),
                cmocka_unit_test(what_the_launcher_lacks_is_no_failure),
                cmocka_unit_test(a_plugin_host_is_started_when_there_is_room),
                cmocka_unit_test(a_pool_leaves_descriptors_to_the_consumer),
        };

        return cmocka_run_group_tests_name("runner_room", tests, NULL, NULL);
}
