/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_exec_test.c: kind exec against real programs: exit codes, output, limits, kills.
 */
#include "tests/unit/runner_bench.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/own.h"
#include "common/base/utf8.h"
#include "consumer/launch/as_started.h"

#define CAUSE "echo the cause >&2;"
/* 5000 bytes that are not UTF-8, then the cause. */
#define BAD_STDERR "head -c 5000 /dev/zero | tr '\\0' '\\377' >&2;" CAUSE

/* Types by name: a script for /bin/sh, and the other members of the type. */
static const struct {
        const char *name, *script, *more;
} scripts[] = {
        {"cat", "exec cat", ""},
        {"text", "echo hello", ""},
        {"binary", "printf '\\377'", ""},
        {"nothing", ":", ""},
        {"pwd", "basename \"$PWD\" | cut -c1-13", ""},
        /* not a pipeline: the shell would show the pipeline's descriptors too */
        {"fds", "ls /proc/$$/fd; :", ""},
        {"long", "head -c 100000 /dev/zero | tr '\\0' x", ""},
        {"status3", "echo why >&2; exit 3", ""},
        {"silent3", "exit 3", ""},
        {"status75", "exit 75", ""},
        {"status64", "exit 64", ""},
        {"status65", "exit 65", ""},
        {"status78", "exit 78", ""},
        {"segv", "echo oops >&2; kill -SEGV $$", ""},
        {"tail", "i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1", ""},
        {"tail_bad", BAD_STDERR "exit 1", ""},
        {"tail_wide", "head -c 6000 /dev/zero | sed 's/../\342\202\254/g' >&2;" CAUSE "exit 1", ""},
        {"tail_blank", BAD_STDERR "printf '%4000s' '' >&2; exit 1", ""},
        {"tail_crash", BAD_STDERR "kill -SEGV $$", ""},
        {"tail_late", BAD_STDERR "exec sleep 1000", ""},
        {"flood", "yes", ", \"output\": \"64KiB\""},
        {"sleeps", "echo started >&2; sleep 1000", ""},
        {"stubborn", "trap '' TERM; echo '{\"progress\":0}' >&3; while :; do sleep 1; done", ""},
        {"polite", "trap 'exit 0' TERM; echo '{\"progress\":0}' >&3; sleep 1000 & wait", ""},
        {"lingers", "sleep 1000 & echo $!", ""},
        {"talks",
         "printf '{\"progress\": 0.5, \"message\": \"half\"}\\nnonsense\\n' >&3;"
         "printf '{\"retry_after\": \"30s\"}' >&3; exit 75",
         ""},
        {"pid", "echo '{\"progress\":0,\"message\":\"'$$'\"}' >&3; exec sleep 1000", ""},
        {"absent", "", ", \"exec\": [\"./no-such-program\"]"},
        {"hog", "exec /usr/bin/python3 -c \"x = b'x' * (1 << 30)\"", ", \"memory\": \"128MiB\""},
        {"complains", "echo MemoryError >&2; exit 1", ""},
        /* Scheduling policy and nice value; umask; soft limit; ignored and blocked signals. */
        {"process",
         "cut -d' ' -f19,41 /proc/self/stat; umask; ulimit -Sn;"
         "grep -E 'Sig(Blk|Ign)' /proc/self/status",
         ""},
        {"true", "", ", \"exec\": [\"/bin/true\"]"},
        {"env", "",
         ", \"exec\": [\"env\"], \"env\": {\"COLOUR\": \"red\", \"HOME\": \"/nowhere\"}"},
};

static struct bench *create(void)
{
        AUTO_BUFFER types = {0};

        for (size_t i = 0; i < COUNT(scripts); i++) {
                buffer_printf(&types, "%s\"%s\": {\"grace\": \"200ms\"%s", i > 0 ? ",\n" : "",
                              scripts[i].name, scripts[i].more);
                if (scripts[i].script[0] != '\0') {
                        buffer_add_text(&types, ", \"exec\": [\"/bin/sh\", \"-c\", ");
                        buffer_add_json_string(&types, bytes_of_text(scripts[i].script));
                        buffer_add_char(&types, ']');
                }
                buffer_add_char(&types, '}');
        }
        return bench_create("", types.data, 1);
}

static void ends_as_the_program_does(void **state)
{
        static const struct end_case cases[] = {
                {"cat", "{\"a\":1.10}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "{\"a\":1.10}",
                 0},
                {"text", "{}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "\"hello\"", 0},
                {"binary", "{}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "\"\xEF\xBF\xBD\"", 0},
                {"nothing", "{}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "", 0},
                {"pwd", "{}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "\"warren-runner\"", 0},
                {"fds", "{}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "\"0\\n1\\n2\\n3\"", 0},
                {"long", "{}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "\"xxxx", 0},
                {"status3", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR, "why", "", 0},
                {"silent3", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR, "exited with status 3",
                 "", 0},
                {"status75", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR, "exited", "", 0},
                {"status64", "{}", 20000, OUTCOME_PERMANENT, ERROR_KIND_ERROR, "exited", "", 0},
                {"status65", "{}", 20000, OUTCOME_PERMANENT, ERROR_KIND_ERROR, "exited", "", 0},
                {"status78", "{}", 20000, OUTCOME_PERMANENT, ERROR_KIND_ERROR, "exited", "", 0},
                {"segv", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_CRASH, "killed by SIGSEGV: oops",
                 "", 0},
                {"flood", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_OUTPUT,
                 "more than 65536 bytes on stdout", "", 0},
                {"sleeps", "{}", 200, OUTCOME_RETRY, ERROR_KIND_TIMEOUT, "timed out after 200ms",
                 "", 0},
                {"stubborn", "{}", 200, OUTCOME_RETRY, ERROR_KIND_TIMEOUT, "timed out after 200ms",
                 "", 0},
                {"polite", "{}", 200, OUTCOME_RETRY, ERROR_KIND_TIMEOUT, "timed out after 200ms",
                 "", 0},
                {"talks", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR, "exited", "", 30000},
                {"absent", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR,
                 "cannot start ./no-such-program: cannot execute it: No such file", "", 0},
                {"hog", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_MEMORY, "", "", 0},
                {"complains", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR, "MemoryError", "", 0},
        };

        (void)state;
        /* A descriptor that a child must not inherit. */
        AUTO_CLOSE int leak = open("/dev/null", O_RDONLY);
        AUTO(bench) b = create();
        for (size_t i = 0; i < COUNT(cases); i++)
                bench_case(b, &cases[i]);
        assert_int_equal(runner_running(b->runner), 0);
}

static void keeps_the_tail_of_complaints(void **state)
{
        AUTO_TOLD told = {0};

        (void)state;
        AUTO(bench) b = create();
        bench_run(b, "tail", "{}", 20000, &told);
        assert_int_equal(told.end.outcome, OUTCOME_RETRY);
        assert_int_in_range(told.error.length, 4000, 4096);
        assert_non_null(strstr(told.error.data, "line 1998\nline 1999"));
        assert_null(strstr(told.error.data, "line 1\n"));
}

/* Bytes that are not UTF-8 grow when they are repaired. The way the run ended comes before the
 * text. White space may follow the text. */
static void keeps_the_last_line_whatever_came_before(void **state)
{
        static const struct {
                const char *type;
                msec timeout;
                const char *want;
        } cases[] = {
                {"tail_bad", 20000, ""},
                {"tail_wide", 20000, ""},
                {"tail_blank", 20000, ""},
                {"tail_crash", 20000, "killed by SIGSEGV: "},
                {"tail_late", 500, "timed out after 500ms: "},
        };
        static const char cause[] = "the cause";

        (void)state;
        AUTO(bench) b = create();
        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO_TOLD told = {0};
                bench_run(b, cases[i].type, "{}", cases[i].timeout, &told);
                assert_int_in_range(told.error.length, JOB_ERROR_MAX - 2, JOB_ERROR_MAX);
                assert_memory_equal(told.error.data, cases[i].want, strlen(cases[i].want));
                assert_string_equal(told.error.data + told.error.length - strlen(cause), cause);
                assert_true(utf8_length(told.error.data + strlen(cases[i].want), 4) > 0);
        }
}

static void cuts_a_long_result_and_says_so(void **state)
{
        AUTO_TOLD told = {0};

        (void)state;
        AUTO(bench) b = create();
        bench_run(b, "long", "{}", 20000, &told);
        assert_int_in_range(told.result.length, 60000, 65536);
        assert_non_null(strstr(told.result.data, "[cut, 100000 bytes in all]\""));
}

static void gives_the_environment_of_the_contract(void **state)
{
        AUTO_TOLD told = {0};
        static const char *const want[] = {
                "WARREN_JOB_ID=01900000-0000-7000-8000-000000000001\\n",
                "WARREN_JOB_TENANT=acme\\n",
                "WARREN_JOB_TYPE=env\\n",
                "WARREN_JOB_RUN=2\\n",
                "WARREN_JOB_ATTEMPT=2\\n",
                "WARREN_JOB_MAX_RETRIES=3\\n",
                "WARREN_JOB_REDELIVERED=0\\n",
                "WARREN_JOB_DEADLINE_MS=",
                "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\\n",
                "PATH=",
                "HOME=/nowhere",
                "COLOUR=red",
        };

        (void)state;
        AUTO(bench) b = create();
        bench_run(b, "env", "{}", 20000, &told);
        assert_int_equal(told.end.outcome, OUTCOME_DONE);
        for (size_t i = 0; i < COUNT(want); i++) {
                if (strstr(told.result.data, want[i]) == NULL)
                        fail_msg("%s is not in %s", want[i], told.result.data);
        }
        size_t lines = 1;
        for (const char *at = told.result.data; (at = strstr(at, "\\n")) != NULL; at++)
                lines++;
        assert_int_equal(lines, COUNT(want));
}

static void gives_back_what_the_consumer_was_started_with(void **state)
{
        struct process_start was;
        char text[AS_STARTED_SIZE];
        char want[128];
        AUTO_TOLD told = {0};

        (void)state;
        snprintf(want, sizeof(want),
                 "\"%d 0\\n0027\\n1000\\nSigBlk:\\t0000000000000000\\nSigIgn:\\t0000000000000000\"",
                 getpriority(PRIO_PROCESS, 0));
        AUTO(bench) b = create();
        process_set_up(&was);
        bench_run(b, "process", "{}", 20000, &told);
        as_started_write(&was, text);
        assert_int_equal(as_started_restore(text), 0);
        assert_string_equal(told.result.data, want);
}

static void tells_progress(void **state)
{
        AUTO_TOLD told = {0};

        (void)state;
        AUTO(bench) b = create();
        bench_run(b, "talks", "{}", 20000, &told);
        assert_int_equal(told.progresses, 1);
        assert_string_equal(told.progress.data, "half");
}

static void stops_with_sigterm_then_sigkill(void **state)
{
        static const char *const names[] = {"polite", "stubborn"};

        (void)state;
        AUTO(bench) b = create();
        for (size_t i = 0; i < COUNT(names); i++) {
                AUTO_TOLD told = {0};
                struct run *run = bench_start(b, names[i], "{}", 20000, &told);
                bench_until(b, told_progress, &told);
                run_stop(run, 100);
                assert_false(told.ended);
                bench_until(b, told_ended, &told);
                assert_int_equal(told.end.outcome, OUTCOME_STOPPED);
        }
}

static void takes_the_whole_group_along(void **state)
{
        AUTO_TOLD told = {0};

        (void)state;
        AUTO(bench) b = create();
        bench_run(b, "lingers", "{}", 20000, &told);
        assert_int_equal(told.end.outcome, OUTCOME_DONE);
        wait_gone((int)strtol(told.result.data, NULL, 10));
}

static void leaves_nothing_when_it_goes_in_mid_job(void **state)
{
        AUTO_TOLD told = {0};

        (void)state;
        struct bench *b = create();
        bench_start(b, "pid", "{}", 20000, &told);
        bench_until(b, told_progress, &told);
        int pid = (int)strtol(told.progress.data, NULL, 10);
        assert_int_equal(kill(pid, 0), 0);
        bench_destroy(&b);
        assert_false(told.ended);
        assert_int_equal(kill(pid, 0), -1);
}

static int lives(struct bench *b)
{
        static struct told told;

        bench_start(b, "pid", "{}", 20000, &told);
        bench_until(b, told_progress, &told);
        return (int)strtol(told.progress.data, NULL, 10);
}

static void dies_with_its_consumer(void **state)
{
        (void)state;
        wait_gone(bench_killed(create, lives));
}

static void runs_the_sample(void **state)
{
        AUTO_TOLD good = {0};
        AUTO_TOLD bad = {0};

        (void)state;
        AUTO(bench) b = create();
        snprintf(b->file, sizeof(b->file), "%s", SAMPLE_FILE);
        struct err e = {0};
        if (bench_use(b, &e) != 0)
                fail_msg("%s", e.text);
        bench_run(b, "word_count", "{\"text\": \"a b\\na\"}", 20000, &good);
        assert_string_equal(good.result.data,
                            "{\"lines\": 2, \"words\": 3, \"top\": [{\"word\": \"a\", "
                            "\"count\": 2}, {\"word\": \"b\", \"count\": 1}]}");
        bench_run(b, "word_count", "{}", 20000, &bad);
        assert_int_equal(bad.end.outcome, OUTCOME_PERMANENT);
        assert_string_equal(bad.error.data, "/text must be a string");
        snprintf(b->file, sizeof(b->file), "%s/handlers.json", b->folder);
}

static void is_not_ended_by_what_was_told_of_another(void **state)
{
        AUTO_TOLD first = {0};
        AUTO_TOLD second = {0};

        (void)state;
        AUTO(bench) b = create();
        bench_start(b, "nothing", "{}", 20000, &first);
        int holder = holder_start();
        bench_until(b, told_ended, &first);

        /* This child inherits the first child's descriptor numbers. */
        struct run *run = bench_start(b, "polite", "{}", 20000, &second);
        bench_until(b, told_something, &second);
        assert_false(second.ended);
        run_stop(run, 20000);
        bench_until(b, told_ended, &second);
        assert_int_equal(second.end.outcome, OUTCOME_STOPPED);
        holder_end(holder);
}

enum { MANY = 2000, AT_ONCE = 8 };

static void ends_thousands_as_they_do(void **state)
{
        struct told told[AT_ONCE] = {0};

        (void)state;
        AUTO(bench) b = create();
        for (size_t i = 0; i < MANY + AT_ONCE; i++) {
                struct told *t = &told[i % AT_ONCE];
                if (i >= AT_ONCE) {
                        bench_until(b, told_ended, t);
                        if (t->end.outcome != OUTCOME_DONE)
                                fail_msg("run %zu: %s", i - AT_ONCE, t->error.data);
                        told_fini(t);
                }
                if (i < MANY)
                        bench_start(b, "true", "{}", 20000, t);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ends_as_the_program_does),
                cmocka_unit_test(keeps_the_tail_of_complaints),
                cmocka_unit_test(keeps_the_last_line_whatever_came_before),
                cmocka_unit_test(cuts_a_long_result_and_says_so),
                cmocka_unit_test(gives_the_environment_of_the_contract),
                cmocka_unit_test(gives_back_what_the_consumer_was_started_with),
                cmocka_unit_test(tells_progress),
                cmocka_unit_test(stops_with_sigterm_then_sigkill),
                cmocka_unit_test(takes_the_whole_group_along),
                cmocka_unit_test(leaves_nothing_when_it_goes_in_mid_job),
                cmocka_unit_test(dies_with_its_consumer),
                cmocka_unit_test(runs_the_sample),
                cmocka_unit_test(is_not_ended_by_what_was_told_of_another),
                cmocka_unit_test(ends_thousands_as_they_do),
        };

        return cmocka_run_group_tests_name("runner_exec", tests, NULL, NULL);
}
