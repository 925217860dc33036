/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_plugin_test.c: kind plugin against real host processes: outcomes, limits, crashes, pools.
 */
#include "tests/unit/runner_bench.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/launch/as_started.h"

#define ROGUE "\"rogue\": {\"file\": \"" ROGUE_PLUGIN "\", \"memory\": \"256MiB\"}"
#define BASIC "\"basic\": {\"file\": \"" BASIC_PLUGIN "\"}"
#define TYPE(plugin, name) \
        "\"" name "\": {\"plugin\": \"" plugin "\", \"handler\": \"" name \
        "\", \"grace\": \"200ms\"}"

#define UNLIMITED "\"unlimited\": {\"file\": \"" ROGUE_PLUGIN "\"}"

static const char all_plugins[] = ROGUE ", " UNLIMITED ", " BASIC;
/* clang-format off */
static const char all_types[] =
        TYPE("basic", "noop") ","
        TYPE("basic", "echo") ","
        TYPE("basic", "sleep") ","
        TYPE("basic", "fail") ","
        TYPE("rogue", "segv") ","
        TYPE("rogue", "leaves") ","
        TYPE("rogue", "spin") ","
        TYPE("rogue", "waits") ","
        TYPE("rogue", "stops_unasked") ","
        TYPE("rogue", "no_outcome") ","
        TYPE("rogue", "silent") ","
        TYPE("rogue", "retry_after") ","
        TYPE("rogue", "long_error") ","
        TYPE("rogue", "results") ","
        TYPE("rogue", "floods") ","
        TYPE("rogue", "hog") ","
        TYPE("rogue", "complains") ","
        "\"unlimited\": {\"plugin\": \"unlimited\", \"handler\": \"complains\"},"
        TYPE("rogue", "count") ","
        TYPE("rogue", "descriptors") ","
        TYPE("rogue", "shows") ","
        TYPE("rogue", "process") ","
        TYPE("rogue", "bursts") ","
        TYPE("rogue", "garbles") ","
        TYPE("rogue", "hangs_up");
/* clang-format on */

static const struct end_case ends[] = {
        {"noop", "{}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "", 0},
        {"echo", "{\"a\":1.10}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "{\"a\":1.10}", 0},
        {"sleep", "{\"ms\": 20}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "", 0},
        {"sleep", "{\"ms\": -1}", 20000, OUTCOME_PERMANENT, ERROR_KIND_ERROR, "/ms must", "", 0},
        {"sleep", "7", 20000, OUTCOME_PERMANENT, ERROR_KIND_ERROR, "the payload must", "", 0},
        {"sleep", "{\"ms\": 60000}", 200, OUTCOME_RETRY, ERROR_KIND_TIMEOUT,
         "timed out after 200ms", "", 0},
        {"fail", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR, "failed as asked, attempt 2", "", 0},
        {"fail", "{\"times\": 2}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR, "failed as", "", 0},
        {"fail", "{\"times\": 1}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "", 0},
        {"fail", "{\"permanent\": true}", 20000, OUTCOME_PERMANENT, ERROR_KIND_ERROR, "failed as",
         "", 0},
        {"fail", "{\"crash\": true}", 20000, OUTCOME_RETRY, ERROR_KIND_CRASH,
         "plugin basic: killed by SIGABRT", "", 0},
        {"segv", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_CRASH,
         "plugin rogue: killed by SIGSEGV (its memory limit is 256 MiB)", "", 0},
        {"leaves", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_CRASH,
         "plugin rogue: exited with status 3", "", 0},
        {"spin", "{}", 200, OUTCOME_RETRY, ERROR_KIND_TIMEOUT,
         "timed out after 200ms: plugin rogue: killed by SIGKILL", "", 0},
        {"waits", "\"stopped\"", 200, OUTCOME_RETRY, ERROR_KIND_TIMEOUT, "timed out after 200ms",
         "", 0},
        {"waits", "\"retry\"", 200, OUTCOME_RETRY, ERROR_KIND_TIMEOUT,
         "timed out after 200ms: was told to end", "", 0},
        {"waits", "\"done\"", 200, OUTCOME_DONE, ERROR_KIND_NONE, "", "", 0},
        {"stops_unasked", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR, "the handler stopped", "",
         0},
        {"no_outcome", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR, "the handler returned", "", 0},
        {"silent", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR, "failed without an error text", "",
         0},
        {"retry_after", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_ERROR, "not \xEF\xBF\xBD now", "",
         1234},
        {"long_error", "{}", 20000, OUTCOME_PERMANENT, ERROR_KIND_ERROR, "eeee", "", 0},
        {"results", "{}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "{\"kept\":\n true}", 0},
        {"hog", "\"graceful\"", 20000, OUTCOME_RETRY, ERROR_KIND_MEMORY, "bad_alloc", "", 0},
        {"hog", "\"crashing\"", 20000, OUTCOME_RETRY, ERROR_KIND_CRASH,
         "plugin rogue: killed by SIGABRT (its memory limit is 256 MiB)", "", 0},
        {"complains", "\"MemoryError\"", 20000, OUTCOME_PERMANENT, ERROR_KIND_MEMORY, "", "", 0},
        {"complains", "\"Out of memory.\"", 20000, OUTCOME_PERMANENT, ERROR_KIND_MEMORY, "", "", 0},
        {"complains", "\"Cannot allocate memory\"", 20000, OUTCOME_PERMANENT, ERROR_KIND_MEMORY, "",
         "", 0},
        {"complains", "\"memories\"", 20000, OUTCOME_PERMANENT, ERROR_KIND_ERROR, "", "", 0},
        {"unlimited", "\"Out of memory.\"", 20000, OUTCOME_PERMANENT, ERROR_KIND_ERROR, "", "", 0},
        {"garbles", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_CRASH,
         "plugin rogue: its host broke the protocol: a frame too long", "", 0},
        {"garbles", "\"unknown frame\"", 20000, OUTCOME_RETRY, ERROR_KIND_CRASH,
         "plugin rogue: its host broke the protocol: ", "", 0},
        {"hangs_up", "{}", 20000, OUTCOME_RETRY, ERROR_KIND_CRASH,
         "plugin rogue: killed by SIGKILL", "", 0},
        {"descriptors", "{}", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "", "[0,1,2,3,4,5]", 0},
        {"shows", "[1,2]", 20000, OUTCOME_DONE, ERROR_KIND_NONE, "",
         "[\"01900000-0000-7000-8000-000000000001\",\"acme\",\"shows\","
         "\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\",2,2,3,0,1,5]",
         0},
};

static void ends_as_the_handler_says(void **state)
{
        (void)state;
        /* A descriptor that a child must not inherit. */
        AUTO_CLOSE int leak = open("/dev/null", O_RDONLY);
        AUTO(bench) b = bench_create(all_plugins, all_types, 1);
        for (size_t i = 0; i < COUNT(ends); i++)
                bench_case(b, &ends[i]);
        assert_int_equal(runner_running(b->runner), 0);
}

static void thins_out_a_flood_of_words(void **state)
{
        AUTO_TOLD told = {0};

        (void)state;
        AUTO(bench) b = bench_create(all_plugins, all_types, 1);
        bench_run(b, "floods", "{}", 20000, &told);
        assert_int_equal(told.end.outcome, OUTCOME_DONE);
        assert_int_in_range(told.progresses, 1, 2000);
        assert_true(told.done == 99999 / 100000.0); /* the last report arrives before the end */
}

static bool is_at_last_step(void *of)
{
        struct told *told = of;

        run_poll(told->run);
        return told->done == 1;
}

static void the_last_progress_is_seen_in_the_silence_after_it(void **state)
{
        AUTO_TOLD told = {0};

        (void)state;
        AUTO(bench) b = bench_create(all_plugins, all_types, 1);
        struct run *run = bench_start(b, "bursts", "{}", 20000, &told);
        bench_until(b, told_progress, &told);
        told.run = run;
        bench_until(b, is_at_last_step, &told);
        assert_string_equal(told.progress.data, "the last step");
        run_stop(run, 20000);
        bench_until(b, told_ended, &told);
}

static void cuts_an_error_between_characters(void **state)
{
        AUTO_TOLD told = {0};

        (void)state;
        AUTO(bench) b = bench_create(all_plugins, all_types, 1);
        bench_run(b, "long_error", "\"wide\"", 20000, &told);
        assert_int_equal(told.error.length, JOB_ERROR_MAX - 1);
        assert_string_equal(told.error.data + told.error.length - 2, "\xC3\xA9");
}

static void gives_back_what_the_consumer_was_started_with(void **state)
{
        struct process_start was;
        char text[AS_STARTED_SIZE];
        static const char *const own[] = {"WARREN_X", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET"};
        AUTO_TOLD told = {0};

        (void)state;
        for (size_t i = 0; i < COUNT(own); i++)
                setenv(own[i], "x", 1);
        setenv("KEPT", "x", 1);
        AUTO(bench) b = bench_create("", "", 1);
        process_set_up(&was);
        struct err e = {0};
        bench_write(b, all_plugins, all_types);
        assert_int_equal(bench_use(b, &e), 0);
        bench_run(b, "process", "{}", 20000, &told);
        as_started_write(&was, text);
        assert_int_equal(as_started_restore(text), 0);
        for (size_t i = 0; i < COUNT(own); i++)
                unsetenv(own[i]);
        /* Policy, nice value, umask, soft limit, blocked and ignored signals; KEPT is set; none of
         * the consumer's own variables is set. */
        char want[64];
        snprintf(want, sizeof(want), "[0,%d,23,1000,0,0,true,0]", getpriority(PRIO_PROCESS, 0));
        assert_string_equal(told.result.data, want);
}

static void carries_a_large_payload_and_result(void **state)
{
        AUTO_TOLD small = {0};
        AUTO_TOLD large = {0};

        (void)state;
        AUTO(bench) b = bench_create(all_plugins, all_types, 1);
        /* Far more than a pipe holds. */
        size_t size = 8 << 20;
        AUTO_FREE char *payload = xmalloc(size + 1);
        memset(payload, 'x', size);
        payload[0] = payload[size - 1] = '"';
        payload[size] = '\0';
        bench_run(b, "echo", payload, 20000, &large);
        assert_int_equal(large.end.outcome, OUTCOME_PERMANENT);

        payload[65535] = '"';
        payload[65536] = '\0';
        bench_run(b, "echo", payload, 20000, &small);
        assert_int_equal(small.end.outcome, OUTCOME_DONE);
        assert_int_equal(small.result.length, 65536);
        assert_memory_equal(small.result.data, payload, 65536);
}

static void stops_a_run_that_listens(void **state)
{
        AUTO_TOLD told = {0};

        (void)state;
        AUTO(bench) b = bench_create(all_plugins, all_types, 1);
        struct run *run = bench_start(b, "waits", "\"stopped\"", 20000, &told);
        bench_until(b, told_progress, &told);
        run_stop(run, 20000);
        assert_false(told.ended);
        bench_until(b, told_ended, &told);
        assert_int_equal(told.end.outcome, OUTCOME_STOPPED);
}

static void kills_a_run_that_does_not(void **state)
{
        AUTO_TOLD told = {0};
        AUTO_TOLD next = {0};

        (void)state;
        AUTO(bench) b = bench_create(all_plugins, all_types, 1);
        struct run *run = bench_start(b, "spin", "{}", 20000, &told);
        bench_until(b, told_progress, &told);
        run_stop(run, 50);
        bench_until(b, told_ended, &told);
        assert_int_equal(told.end.outcome, OUTCOME_STOPPED);
        bench_run(b, "count", "{}", 20000, &next);
        assert_int_equal(next.end.outcome, OUTCOME_DONE);
}

static int pid_of(struct bench *b, int *jobs)
{
        AUTO_TOLD told = {0};
        int pid;

        bench_run(b, "count", "{}", 20000, &told);
        assert_int_equal(told.end.outcome, OUTCOME_DONE);
        assert_int_equal(sscanf(told.result.data, "[%d, %d]", &pid, jobs), 2);
        return pid;
}

static void survives_kill_9_in_mid_job(void **state)
{
        AUTO_TOLD told = {0};
        int jobs;

        (void)state;
        AUTO(bench) b = bench_create(all_plugins, all_types, 1);
        int pid = pid_of(b, &jobs);
        bench_start(b, "spin", "{}", 20000, &told);
        bench_until(b, told_progress, &told);
        assert_int_equal(kill(pid, SIGKILL), 0);
        bench_until(b, told_ended, &told);
        assert_int_equal(told.end.outcome, OUTCOME_RETRY);
        assert_int_equal(told.end.error_kind, ERROR_KIND_CRASH);
        assert_string_equal(told.error.data,
                            "plugin rogue: killed by SIGKILL (its memory limit is 256 MiB)");
        assert_int_not_equal(pid_of(b, &jobs), pid);
}

static bool has_lost_room(void *of)
{
        struct bench *b = of;

        return !runner_has_room(b->runner, handlers_find(b->handlers, "count"));
}

static void restarts_a_host_that_dies_idle(void **state)
{
        int jobs;

        (void)state;
        AUTO(bench) b = bench_create(all_plugins, all_types, 1);
        for (int i = 0; i < 3; i++) {
                int pid = pid_of(b, &jobs);
                assert_int_equal(kill(pid, SIGKILL), 0);
                bench_until(b, has_lost_room, b);
                assert_int_not_equal(pid_of(b, &jobs), pid);
        }
}

static void is_not_ended_by_what_was_told_of_another(void **state)
{
        int jobs;

        (void)state;
        AUTO(bench) b = bench_create(ROGUE, TYPE("rogue", "count"), 1);
        int pid = pid_of(b, &jobs);
        int holder = holder_start();
        assert_int_equal(kill(pid, SIGKILL), 0);
        bench_until(b, has_lost_room, b);

        /* This host gets the first one's descriptor numbers. */
        int next = pid_of(b, &jobs);
        for (int i = 0; i < 3; i++)
                assert_int_equal(pid_of(b, &jobs), next);
        holder_end(holder);
}

static void replaces_worn_hosts(void **state)
{
        int pids[64], jobs, distinct = 0;

        (void)state;
        AUTO(bench) b = bench_create("\"rogue\": {\"file\": \"" ROGUE_PLUGIN
                                     "\", \"recycle_after\": 5, \"processes\": 1}",
                                     TYPE("rogue", "count"), 4);
        for (int i = 0; distinct < 4; i++) {
                int pid = pid_of(b, &jobs);
                /* There is no pause: a worn host goes on until its replacement is ready. */
                assert_true(runner_has_room(b->runner, handlers_find(b->handlers, "count")));
                if (distinct == 0 || pids[distinct - 1] != pid)
                        pids[distinct++] = pid;
                assert_true(i < 100000);
        }
        for (int i = 0; i + 1 < distinct; i++)
                wait_gone(pids[i]);
}

static void has_room_for_as_many_as_it_may_run(void **state)
{
        AUTO_TOLD first = {0};
        AUTO_TOLD second = {0};
        struct err e = {0};
        const struct job job = {.id = "x", .tenant = "acme", .type = "a", .run = 1};

        (void)state;
        AUTO(bench) b = bench_create(
                "\"rogue\": {\"file\": \"" ROGUE_PLUGIN "\", \"processes\": 2}",
                "\"a\": {\"plugin\": \"rogue\", \"handler\": \"waits\", \"concurrency\": 1},"
                "\"b\": {\"plugin\": \"rogue\", \"handler\": \"waits\"}",
                1);
        struct run *one = bench_start(b, "a", "\"stopped\"", 20000, &first);
        const struct handler *a = handlers_find(b->handlers, "a");
        const struct run_request request = {.job = &job, .handler = a, .timeout = 1000};
        assert_false(runner_has_room(b->runner, a));
        assert_null(runner_start(b->runner, &request, NULL, NULL, &e));
        assert_int_equal(e.code, ERR_FULL);

        buffer_add_text(&second.error, "b");
        second.bench = b;
        bench_until(b, told_progress, &first);
        const struct handler *other = handlers_find(b->handlers, "b");
        while (!runner_has_room(b->runner, other))
                uv_run(&b->loop, UV_RUN_ONCE);
        buffer_fini(&second.error);
        struct run *two = bench_start(b, "b", "\"stopped\"", 20000, &second);
        assert_false(runner_has_room(b->runner, other));
        assert_int_equal(runner_running(b->runner), 2);
        run_stop(one, 5000);
        run_stop(two, 5000);
        bench_until(b, told_ended, &first);
        bench_until(b, told_ended, &second);
        assert_true(runner_has_room(b->runner, a));
}

struct repeated {
        struct bench *bench;
        unsigned left, ended, starts;
};

static void repeated_start(struct repeated *c);

static void repeated_ended(void *owner, const struct run_end *end)
{
        struct repeated *c = owner;

        assert_int_equal(end->outcome, OUTCOME_DONE);
        c->ended++;
        repeated_start(c);
}

static void repeated_began(void *owner)
{
        (void)owner;
}

static const struct run_events repeated_events = {.ended = repeated_ended, .began = repeated_began};

/* Starts runs as the scheduler does: from within `ended`, as long as there is room. */
static void repeated_start(struct repeated *c)
{
        const struct handler *noop = handlers_find(c->bench->handlers, "noop");
        const struct job job = {.id = "01900000-0000-7000-8000-000000000001",
                                .tenant = "acme",
                                .type = "noop",
                                .run = 1,
                                .payload = bytes_of_text("{}")};
        const struct run_request request = {.job = &job, .handler = noop, .timeout = 20000};
        struct err e = {0};

        while (c->left > 0 && runner_has_room(c->bench->runner, noop)) {
                c->left--;
                assert_non_null(runner_start(c->bench->runner, &request, &repeated_events, c, &e));
        }
}

static bool repeated_gone(void *of)
{
        struct repeated *c = of;

        repeated_start(c); /* a host may be available again */
        return c->left == 0 && runner_running(c->bench->runner) == 0;
}

static void runs_a_thousand_at_full_speed(void **state)
{
        (void)state;
        AUTO(bench) b = bench_create("\"basic\": {\"file\": \"" BASIC_PLUGIN
                                     "\", \"recycle_after\": 100, \"processes\": 4}",
                                     TYPE("basic", "noop"), 4);
        struct repeated repeated = {.bench = b, .left = 1000};
        repeated_start(&repeated);
        bench_until(b, repeated_gone, &repeated);
        assert_int_equal(repeated.ended, 1000);
}

static void refuses_a_plugin_that_cannot_be_used(void **state)
{
        static const struct {
                const char *plugins, *types, *want;
        } cases[] = {
                {"\"p\": {\"file\": \"/nowhere/p.so\"}", "",
                 "plugin p: /nowhere/p.so: No such file"},
                {"\"p\": {\"file\": \"handlers.json\"}", "", "handlers.json: file too short"},
                {"\"p\": {\"file\": \"" OLD_PLUGIN "\"}", "", "plugin p: built for plugin ABI 999"},
                {"\"p\": {\"file\": \"" ROGUE_PLUGIN "\", \"settings\": {\"refuse\": 1}}", "",
                 "plugin p: open: these settings will not do"},
                {"\"p\": {\"file\": \"" ROGUE_PLUGIN "\", \"settings\": {\"crash\": 1}}", "",
                 "plugin p: its host ended while opening it"},
                {"\"p\": {\"file\": \"" ROGUE_PLUGIN "\"}",
                 "\"t\": {\"plugin\": \"p\", \"handler\": \"nobody\"}",
                 "type t: plugin p has no handler named nobody"},
        };
        AUTO_TOLD told = {0};

        (void)state;
        AUTO(bench) b = bench_create(all_plugins, all_types, 1);
        for (size_t i = 0; i < COUNT(cases); i++) {
                struct err e = {0};
                AUTO(handlers) set = NULL;

                bench_write(b, cases[i].plugins, cases[i].types);
                set = handlers_load(b->file, &e);
                assert_non_null(set);
                assert_int_equal(runner_use(b->runner, set, &e), -1);
                if (strstr(e.text, cases[i].want) == NULL &&
                    !(i == 1 && strstr(e.text, "invalid ELF header") != NULL))
                        fail_msg("want %s, got %s", cases[i].want, e.text);
        }
        bench_run(b, "echo", "1", 20000, &told);
        assert_string_equal(told.result.data, "1");
}

static void changes_handlers_while_one_runs(void **state)
{
        AUTO_TOLD told = {0};
        struct err e = {0};
        int jobs, more;

        (void)state;
        AUTO(bench) b = bench_create(all_plugins, all_types, 1);
        int pid = pid_of(b, &jobs);
        struct run *run = bench_start(b, "waits", "\"stopped\"", 20000, &told);
        bench_until(b, told_progress, &told);

        /* A host of an unchanged plugin stays warm; a changed plugin is opened again. */
        bench_write(b, ROGUE, TYPE("rogue", "count") "," TYPE("rogue", "waits"));
        assert_int_equal(bench_use(b, &e), 0);
        run_stop(run, 20000);
        bench_until(b, told_ended, &told);
        assert_int_equal(told.end.outcome, OUTCOME_STOPPED);
        assert_int_equal(pid_of(b, &more), pid);
        assert_int_equal(more, jobs + 1);

        bench_write(b, "\"rogue\": {\"file\": \"" ROGUE_PLUGIN "\", \"settings\": {\"a\": 1}}",
                    TYPE("rogue", "count"));
        assert_int_equal(bench_use(b, &e), 0);
        assert_int_not_equal(pid_of(b, &more), pid);
        wait_gone(pid);
}

static struct bench *create(void)
{
        return bench_create(all_plugins, all_types, 1);
}

static int spins(struct bench *b)
{
        static struct told told;
        int jobs, pid = pid_of(b, &jobs);

        bench_start(b, "spin", "{}", 20000, &told);
        bench_until(b, told_progress, &told);
        return pid;
}

static void dies_with_its_consumer(void **state)
{
        (void)state;
        wait_gone(bench_killed(create, spins));
}

static void leaves_nothing_when_it_goes_in_mid_job(void **state)
{
        AUTO_TOLD told = {0};
        int jobs;

        (void)state;
        struct bench *b = bench_create(all_plugins, all_types, 2);
        int pid = pid_of(b, &jobs);
        bench_start(b, "spin", "{}", 20000, &told);
        bench_destroy(&b);
        assert_false(told.ended);
        assert_int_equal(kill(pid, 0), -1);
}

static void runs_the_example(void **state)
{
        static const struct {
                const char *payload;
                msec timeout;
                enum outcome want;
                const char *result;
        } cases[] = {
                {"100", 20000, OUTCOME_DONE, "{\"primes\": 25}"},
                {"100000", 20000, OUTCOME_DONE, "{\"primes\": 9592}"},
                {"\"many\"", 20000, OUTCOME_PERMANENT, NULL},
                /* more than can be computed before the timeout */
                {"99999999", 300, OUTCOME_RETRY, NULL},
        };

        (void)state;
        AUTO(bench) b = bench_create("\"primes\": {\"file\": \"" PRIMES_PLUGIN "\"}",
                                     TYPE("primes", "count_primes"), 1);
        for (size_t i = 0; i < COUNT(cases); i++) {
                AUTO_TOLD told = {0};
                bench_run(b, "count_primes", cases[i].payload, cases[i].timeout, &told);
                assert_int_equal(told.end.outcome, cases[i].want);
                if (cases[i].result != NULL)
                        assert_string_equal(told.result.data, cases[i].result);
        }
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* every program ignores it: a host may be gone */
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ends_as_the_handler_says),
                cmocka_unit_test(thins_out_a_flood_of_words),
                cmocka_unit_test(the_last_progress_is_seen_in_the_silence_after_it),
                cmocka_unit_test(gives_back_what_the_consumer_was_started_with),
                cmocka_unit_test(cuts_an_error_between_characters),
                cmocka_unit_test(carries_a_large_payload_and_result),
                cmocka_unit_test(stops_a_run_that_listens),
                cmocka_unit_test(kills_a_run_that_does_not),
                cmocka_unit_test(survives_kill_9_in_mid_job),
                cmocka_unit_test(restarts_a_host_that_dies_idle),
                cmocka_unit_test(is_not_ended_by_what_was_told_of_another),
                cmocka_unit_test(replaces_worn_hosts),
                cmocka_unit_test(has_room_for_as_many_as_it_may_run),
                cmocka_unit_test(runs_a_thousand_at_full_speed),
                cmocka_unit_test(refuses_a_plugin_that_cannot_be_used),
                cmocka_unit_test(changes_handlers_while_one_runs),
                cmocka_unit_test(dies_with_its_consumer),
                cmocka_unit_test(leaves_nothing_when_it_goes_in_mid_job),
                cmocka_unit_test(runs_the_example),
        };

        return cmocka_run_group_tests_name("runner_plugin", tests, NULL, NULL);
}
