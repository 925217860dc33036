/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_bench.c: creates, runs and destroys a runner under test.
 */
#include "tests/unit/runner_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/memory.h"

#define PATIENCE_MS 30000

void bench_write(struct bench *b, const char *plugins, const char *types)
{
        FILE *file = fopen(b->file, "w");

        assert_non_null(file);
        fprintf(file, "{\"plugins\": {%s},\n\"types\": {%s}}", plugins, types);
        assert_int_equal(fclose(file), 0);
}

int bench_use(struct bench *b, struct err *e)
{
        handlers_destroy(&b->handlers);
        b->handlers = handlers_load(b->file, e);
        if (b->handlers == NULL)
                return -1;
        return runner_use(b->runner, b->handlers, e);
}

struct bench *bench_create(const char *plugins, const char *types, unsigned workers)
{
        return bench_create_with(plugins, types, workers, LAUNCH_PROGRAM);
}

struct bench *bench_create_with(const char *plugins, const char *types, unsigned workers,
                                const char *launch_program)
{
        struct bench *b = xcalloc(1, sizeof(*b));
        struct err e = {0};

        assert_int_equal(uv_loop_init(&b->loop), 0);
        snprintf(b->folder, sizeof(b->folder), "/tmp/warren-runner-XXXXXX");
        assert_non_null(mkdtemp(b->folder));
        snprintf(b->file, sizeof(b->file), "%s/handlers.json", b->folder);
        bench_write(b, plugins, types);

        b->metrics = metrics_create("unit");
        b->as_started = (struct process_start){.umask = 027, .open_files = 1000};
        const struct runner_config config = {
                .host_program = HOST_PROGRAM,
                .launch_program = launch_program,
                .workers = workers,
                .loop = &b->loop,
                .as_started = &b->as_started,
                .metrics = b->metrics,
        };
        b->runner = runner_create(&config, &e);
        if (b->runner == NULL || bench_use(b, &e) != 0)
                fail_msg("%s", e.text);
        return b;
}

void bench_destroy(struct bench **b)
{
        if (*b == NULL)
                return;
        runner_destroy(&(*b)->runner);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
        handlers_destroy(&(*b)->handlers);
        uv_run(&(*b)->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&(*b)->loop), 0);
        metrics_destroy(&(*b)->metrics);
        unlink((*b)->file);
        rmdir((*b)->folder);
        free(*b);
        *b = NULL;
}

static void on_progress(void *owner, double done, struct bytes text)
{
        struct told *told = owner;

        assert_int_equal(told->begins, 1);
        told->progresses++;
        assert_true(done >= 0 && done <= 1);
        told->done = done;
        buffer_clear(&told->progress);
        buffer_add(&told->progress, text.data, text.length);
}

static void on_ended(void *owner, const struct run_end *end)
{
        struct told *told = owner;

        assert_true(told->begins == 1 && !told->ended);
        told->ended = true;
        told->end = *end;
        buffer_add(&told->error, end->error.data, end->error.length);
        buffer_add(&told->result, end->result.data, end->result.length);
}

static void on_began(void *owner)
{
        struct told *told = owner;

        assert_true(told->begins == 0 && !told->ended);
        told->begins++;
}

static void on_put_off(void *owner)
{
        struct told *told = owner;

        assert_true(told->begins == 0 && !told->ended);
        told->put_off++;
}

static const struct run_events told_events = {
        .progress = on_progress,
        .ended = on_ended,
        .began = on_began,
        .put_off = on_put_off,
};

struct run *bench_try(struct bench *b, const struct job *job, msec timeout, struct told *told,
                      struct err *e)
{
        const struct handler *handler = handlers_find(b->handlers, job->type);

        assert_non_null(handler);
        *told = (struct told){.bench = b};
        const struct run_request request = {.job = job, .handler = handler, .timeout = timeout};
        return runner_start(b->runner, &request, &told_events, told, e);
}

struct run *bench_start(struct bench *b, const char *type, const char *payload, msec timeout,
                        struct told *told)
{
        struct job job = {
                .id = "01900000-0000-7000-8000-000000000001",
                .tenant = "acme",
                .run = 2,
                .attempt = 1,
                .max_retries = 3,
                .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                .payload = bytes_of_text(payload),
        };
        struct err e = {0};

        snprintf(job.type, sizeof(job.type), "%s", type);
        struct run *run = bench_try(b, &job, timeout, told, &e);
        if (run == NULL)
                fail_msg("%s: %s", type, e.text);
        assert_false(told->ended);
        return run;
}

struct awaited {
        bool (*holds)(void *of);
        void *of;
        bool late;
};

static void on_late(uv_timer_t *timer)
{
        struct awaited *a = timer->data;

        a->late = true;
}

static void on_timer_closed(uv_handle_t *timer)
{
        free(timer);
}

void bench_until(struct bench *b, bool (*holds)(void *of), void *of)
{
        struct awaited a = {.holds = holds, .of = of};
        uv_timer_t *timer = xcalloc(1, sizeof(*timer));

        timer->data = &a;
        uv_timer_init(&b->loop, timer);
        uv_timer_start(timer, on_late, PATIENCE_MS, 0);
        while (!holds(of) && !a.late)
                uv_run(&b->loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)timer, on_timer_closed);
        assert_true(holds(of));
}

bool told_ended(void *told)
{
        return ((struct told *)told)->ended;
}

bool told_put_off(void *told)
{
        return ((struct told *)told)->put_off > 0;
}

bool told_something(void *told)
{
        return told_ended(told) || told_progress(told);
}

bool told_progress(void *told)
{
        return ((struct told *)told)->progresses > 0;
}

static bool can_start(void *of)
{
        struct told *told = of;
        struct bench *b = told->bench;

        return runner_has_room(b->runner, handlers_find(b->handlers, told->error.data));
}

void bench_run(struct bench *b, const char *type, const char *payload, msec timeout,
               struct told *told)
{
        struct told room = {.bench = b};

        buffer_add_text(&room.error, type);
        bench_until(b, can_start, &room);
        told_fini(&room);
        bench_start(b, type, payload, timeout, told);
        bench_until(b, told_ended, told);
}

void bench_case(struct bench *b, const struct end_case *c)
{
        AUTO_TOLD told = {0};

        bench_run(b, c->type, c->payload, c->timeout, &told);
        const char *error = told.error.data != NULL ? told.error.data : "";
        const char *result = told.result.data != NULL ? told.result.data : "";
        if (told.end.outcome != c->want || told.end.error_kind != c->kind ||
            strncmp(error, c->error, strlen(c->error)) != 0 ||
            strncmp(result, c->result, strlen(c->result)) != 0 ||
            told.end.retry_after != c->retry_after)
                fail_msg("%s %s: outcome %d kind %s error \"%s\" result \"%s\" after %d", c->type,
                         c->payload, told.end.outcome, error_kind_word(told.end.error_kind), error,
                         result, (int)told.end.retry_after);
        assert_true(told.error.length <= JOB_ERROR_MAX);
        assert_true((told.error.length == 0) == (told.end.outcome == OUTCOME_DONE));
}

/* Removes its files first, because a signal ends the process. */
_Noreturn static void live_until_killed(struct bench *b, int (*live)(struct bench *b), int out)
{
        int pid = live(b);

        unlink(b->file);
        rmdir(b->folder);
        dprintf(out, "%d\n", pid);
        for (;;)
                pause();
}

int bench_killed(struct bench *(*create)(void), int (*live)(struct bench *b))
{
        int ends[2], pid;

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid_t consumer = fork();
        if (consumer == 0)
                live_until_killed(create(), live, ends[1]);
        close(ends[1]);
        FILE *told = fdopen(ends[0], "r");
        assert_int_equal(fscanf(told, "%d", &pid), 1);
        fclose(told);
        assert_int_equal(kill(pid, 0), 0);
        kill(consumer, SIGKILL);
        waitpid(consumer, NULL, 0);
        return pid;
}

void told_fini(struct told *told)
{
        buffer_fini(&told->error);
        buffer_fini(&told->result);
        buffer_fini(&told->progress);
}

void wait_gone(int pid)
{
        int fd = pidfd_open(pid, 0);
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (fd < 0)
                return;
        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
        close(fd);
}

int holder_start(void)
{
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test does not call holder_end */
        for (;;)
                pause();
}

void holder_end(int holder)
{
        kill(holder, SIGKILL);
        waitpid(holder, NULL, 0);
}
