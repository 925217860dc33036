/* SPDX-License-Identifier: Apache-2.0
 *
 * exec.c: handler kind `exec`: a program for each attempt, started through warren-launch. Its stdin
 * is a sealed file in memory, written at once; stdout, stderr and descriptor 3 are pipes.
 */
#include "consumer/runner/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>
#include <utlist.h>

#include "common/base/alarm.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "consumer/launch/as_started.h"
#include "consumer/launch/launch.h"
#include "consumer/runner/child.h"
#include "consumer/runner/exec_streams.h"
#include "consumer/runner/handlers_read.h"
#include "consumer/runner/shortage.h"
#include "consumer/runner/text.h"

enum { READ_SIZE = 128 * 1024 }; /* bytes in one read: more than a pipe holds */

struct execs {
        struct runs *runs;
        uv_loop_t *loop;
        char *launch_program;
        char as_started[AS_STARTED_SIZE]; /* passed to what it starts */
        struct exec_run *running;
        struct buffer scratch; /* READ_SIZE bytes, for one read */
};

enum exec_launch {
        EXEC_LAUNCHING,
        EXEC_LAUNCHED, /* the program runs, or has run */
        EXEC_REFUSED,  /* the launcher could not execute the program, and wrote why */
        EXEC_LOST,     /* the launcher ended without executing it */
};

struct exec_run {
        struct run run;
        struct execs *all;
        struct exec_run *prev, *next;
        struct child child;
        struct exec_streams streams;
        struct polled status; /* warren-launch's socket, while LAUNCHING */
        enum exec_launch launch;
        bool go_ahead_given;
        struct launch_failure failure;
        struct alarm *alarm; /* timeout, then grace */
};

struct execs *execs_create(const struct runner_config *c, struct runs *runs)
{
        struct execs *all = xcalloc(1, sizeof(*all));

        all->runs = runs;
        all->loop = c->loop;
        all->launch_program = xstrdup(c->launch_program);
        as_started_write(c->as_started, all->as_started);
        buffer_reserve(&all->scratch, READ_SIZE);
        all->scratch.length = READ_SIZE;
        return all;
}

static void close_all(struct exec_run *x)
{
        for (size_t i = 0; i < EXEC_STREAMS; i++)
                polled_close(&x->streams.pipes[i]);
        polled_close(&x->child.end);
        polled_close(&x->status);
        alarm_destroy(&x->alarm);
}

static void exec_run_free(struct exec_run *x)
{
        close_all(x);
        exec_streams_fini(&x->streams);
        free(x);
}

/* SIGTERM (SIGKILL when FLOODED), then SIGKILL after `grace`. Does nothing when already ending. */
static void end_soon(struct exec_run *x, enum run_ending why, msec grace)
{
        if (x->run.ending != RUN_GOES_ON)
                return;
        x->run.ending = why;
        child_kill(&x->child, why == RUN_FLOODED ? SIGKILL : SIGTERM);
        alarm_set(x->alarm, grace);
}

static void on_alarm(void *owner)
{
        struct exec_run *x = owner;

        if (x->run.ending == RUN_GOES_ON)
                end_soon(x, RUN_TIMED_OUT, x->run.handler->grace);
        else
                child_kill(&x->child, SIGKILL);
}

static void end_if_it_floods(struct exec_run *x)
{
        if ((int64_t)x->streams.output_total > x->run.handler->output)
                end_soon(x, RUN_FLOODED, 0);
}

static void fails(struct exec_run *x, struct child_end end, struct run_end *out)
{
        struct bytes said = text_trim(buffer_bytes(&x->streams.stderr_tail));
        enum error_kind kind =
                run_error_kind(&x->run, end.killed ? ERROR_KIND_CRASH : ERROR_KIND_ERROR, said);
        char how[CHILD_END_SIZE] = "";

        if (end.killed || said.length == 0)
                child_end_text(end, how);
        run_fails_saying(&x->run, out, kind, how, said);
}

static void judge_exit(struct exec_run *x, struct child_end end, struct run_end *out)
{
        if (end.killed || end.number != EX_OK) {
                fails(x, end, out);
                if (!end.killed &&
                    (end.number == EX_USAGE || end.number == EX_DATAERR || end.number == EX_CONFIG))
                        out->outcome = OUTCOME_PERMANENT;
                else
                        out->retry_after = x->streams.retry_after;
                return;
        }
        out->outcome = OUTCOME_DONE;
        run_result(&x->run, out, buffer_bytes(&x->streams.output), x->streams.output_total);
}

static void judge(struct exec_run *x, struct child_end end, struct run_end *out)
{
        struct buffer text = {0};

        switch (x->run.ending) {
        case RUN_GOES_ON:
                judge_exit(x, end, out);
                break;
        case RUN_TIMED_OUT:
                run_fails_by_timeout(&x->run, out, buffer_bytes(&x->streams.stderr_tail));
                break;
        case RUN_STOPPED:
                out->outcome = OUTCOME_STOPPED;
                break;
        case RUN_FLOODED:
                buffer_printf(&text, "more than %lld bytes on stdout",
                              (long long)x->run.handler->output);
                run_fails(&x->run, out, ERROR_KIND_OUTPUT, buffer_bytes(&text));
                buffer_fini(&text);
                break;
        }
}

/* Reads what the launcher wrote, if that is still to come. Called before a pipe is read: `began`
 * must come before anything the program writes. */
static void read_launch_status(struct exec_run *x)
{
        if (x->launch != EXEC_LAUNCHING)
                return;
        ssize_t got = read(x->status.fd, &x->failure, sizeof(x->failure));
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (got == sizeof(x->failure) && (size_t)x->failure.step < LAUNCH_STEP_COUNT)
                x->launch = EXEC_REFUSED;
        else
                x->launch = got == 0 && x->go_ahead_given ? EXEC_LAUNCHED : EXEC_LOST;
        polled_close(&x->status);
        if (x->launch == EXEC_LAUNCHED)
                run_began(&x->run);
}

static void on_status(void *owner, struct polled *w)
{
        (void)w;
        read_launch_status(owner);
}

static void on_stream(void *owner, struct polled *w)
{
        struct exec_run *x = owner;
        enum exec_stream_kind which = (enum exec_stream_kind)(w - x->streams.pipes);

        read_launch_status(x);
        if (exec_streams_read(&x->streams, which, &x->all->scratch) == 0)
                polled_stop(w);
        end_if_it_floods(x);
}

/* The error of a program that was not executed. */
static void launch_error(const struct exec_run *x, struct err *e)
{
        static const char *const steps[] = {
#define X(step, words) [step] = words,
                LAUNCH_STEPS(X)
#undef X
        };
        const char *program = x->run.handler->exec[0];

        if (x->launch != EXEC_REFUSED) {
                err_set(e, ERR_FULL, "cannot start %.200s: its launcher ended", program);
                return;
        }
        errno = x->failure.number;
        shortage_err(e, "cannot start %.200s: cannot %s", program, steps[x->failure.step]);
        /* A program larger than its memory limit can never start: not a shortage. */
        if (x->failure.number == ENOMEM && x->run.handler->memory > 0)
                e->code = ERR_SYSTEM;
}

/* The program has ended, and its handles are closed: reports how. */
static void finish(struct exec_run *x, struct child_end child_end)
{
        struct run_end end = {0};
        struct err unlaunched = {0};

        if (x->launch != EXEC_LAUNCHED && x->run.ending == RUN_GOES_ON)
                launch_error(x, &unlaunched);
        if (unlaunched.code == ERR_FULL) {
                run_put_off(&x->run, "exec", &unlaunched);
                return;
        }
        if (x->launch != EXEC_LAUNCHED)
                run_began(&x->run);
        if (err_is_set(&unlaunched))
                run_fails(&x->run, &end, ERROR_KIND_ERROR, bytes_of_text(unlaunched.text));
        else
                judge(x, child_end, &end);
        run_finish(&x->run, &end);
}

static void on_end(void *owner, struct polled *w)
{
        struct exec_run *x = owner;

        (void)w;
        if (!child_has_ended(&x->child))
                return;
        read_launch_status(x);
        /* Kill the group before reading the rest: what lives on there could write for ever. */
        child_kill(&x->child, SIGKILL);
        exec_streams_read_rest(&x->streams, &x->all->scratch);
        end_if_it_floods(x);

        struct child_end child_end = child_reap(&x->child);
        DL_DELETE(x->all->running, x);
        close_all(x); /* the descriptors: `ended` may start another run */
        finish(x, child_end);
        exec_run_free(x);
}

/* A file in memory with the payload; it cannot be changed. */
static int payload_file(struct bytes payload, struct err *e)
{
        AUTO_CLOSE int fd = memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return shortage_err(e, "cannot make a file for the payload");
        for (size_t done = 0; done < payload.length;) {
                ssize_t wrote = write(fd, payload.data + done, payload.length - done);
                if (wrote < 0)
                        return shortage_err(e, "cannot write the payload");
                done += (size_t)wrote;
        }
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0 ||
            lseek(fd, 0, SEEK_SET) != 0)
                return err_set_errno(e, "cannot seal the payload");
        return own_take_fd(&fd);
}

/* Of the launcher and its program (docs/handlers.md). */
static char **make_argv(const struct handler *h, const char *launch_program, const char *as_started)
{
        char **texts = NULL;

        texts_add(&texts, xstrdup(launch_program));
        texts_add(&texts, xasprintf("%ld", (long)getpid()));
        texts_add(&texts, xstrdup(as_started));
        texts_add(&texts, xasprintf("%lld", (long long)h->memory));
        texts_add(&texts, xstrdup(h->folder));
        for (char **argument = h->exec; *argument != NULL; argument++)
                texts_add(&texts, xstrdup(*argument));
        return texts;
}

static size_t name_length(const char *assignment)
{
        return strcspn(assignment, "=") + 1;
}

static bool is_given(char *const *env, const char *assignment)
{
        for (; *env != NULL; env++) {
                if (strncmp(*env, assignment, name_length(assignment)) == 0)
                        return true;
        }
        return false;
}

/* Adds a variable of the consumer's environment, unless the handler's `env` has it. */
static void add_inherited(char ***texts, char *const *given, const char *name, const char *fallback)
{
        const char *value = getenv(name);
        char *assignment = xasprintf("%s=%s", name, value != NULL ? value : fallback);

        if (is_given(given, assignment))
                free(assignment);
        else
                texts_add(texts, assignment);
}

static char **make_env(const struct run_request *q, msec deadline)
{
        const struct job *job = q->job;
        char **texts = NULL;

        texts_add(&texts, xasprintf("WARREN_JOB_ID=%s", job->id));
        texts_add(&texts, xasprintf("WARREN_JOB_TENANT=%s", job->tenant));
        texts_add(&texts, xasprintf("WARREN_JOB_TYPE=%s", job->type));
        texts_add(&texts, xasprintf("WARREN_JOB_RUN=%lld", (long long)job->run));
        texts_add(&texts, xasprintf("WARREN_JOB_ATTEMPT=%lld", (long long)job->attempt + 1));
        texts_add(&texts, xasprintf("WARREN_JOB_MAX_RETRIES=%lld", (long long)job->max_retries));
        texts_add(&texts, xasprintf("WARREN_JOB_REDELIVERED=%d", q->redelivered));
        texts_add(&texts, xasprintf("WARREN_JOB_DEADLINE_MS=%lld", (long long)deadline));
        if (job->traceparent[0] != '\0')
                texts_add(&texts, xasprintf("TRACEPARENT=%s", job->traceparent));
        add_inherited(&texts, q->handler->env, "PATH", "/usr/local/bin:/usr/bin:/bin");
        add_inherited(&texts, q->handler->env, "HOME", "/");
        for (char **given = q->handler->env; *given != NULL; given++)
                texts_add(&texts, xstrdup(*given));
        return texts;
}

static int socket_pair(int *own_end, int *other_end, struct err *e)
{
        int ends[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
                return shortage_err(e, "cannot make a socket");
        *own_end = ends[0];
        *other_end = ends[1];
        return 0;
}

/* Makes the pipes and the process; closes the child's ends here. */
static int start_process(struct exec_run *x, const struct run_request *q, struct err *e)
{
        AUTO_CLOSE int payload = payload_file(q->job->payload, e);
        AUTO_CLOSE int out = -1;
        AUTO_CLOSE int errors = -1;
        AUTO_CLOSE int progress = -1;
        AUTO_CLOSE int status = -1;

        if (payload < 0 || child_pipe(&x->streams.pipes[EXEC_STDOUT].fd, &out, e) != 0 ||
            child_pipe(&x->streams.pipes[EXEC_STDERR].fd, &errors, e) != 0 ||
            child_pipe(&x->streams.pipes[EXEC_PROGRESS].fd, &progress, e) != 0 ||
            socket_pair(&x->status.fd, &status, e) != 0 ||
            shortage_spare_files(status, FILES_SPARED, e) != 0)
                return -1;

        AUTO_TEXTS argv = make_argv(q->handler, x->all->launch_program, x->all->as_started);
        AUTO_TEXTS env = make_env(q, clock_wall() + q->timeout);
        const int fds[LAUNCH_FD_COUNT] = {payload, out, errors, progress, status};
        const struct child_spec spec = {
                .program = x->all->launch_program,
                .argv = argv,
                .env = env,
                .fds = fds,
                .fd_count = LAUNCH_FD_COUNT,
        };
        return child_spawn(&spec, &x->child, e) == 0 ? 0 : err_wrap(e, "type %s", q->handler->type);
}

static int init_handles(struct exec_run *x, struct err *e)
{
        for (size_t i = 0; i < EXEC_STREAMS; i++) {
                if (polled_init(&x->streams.pipes[i], x->all->loop, e) != 0)
                        return -1;
        }
        if (polled_init(&x->status, x->all->loop, e) != 0)
                return -1;
        return polled_init(&x->child.end, x->all->loop, e);
}

struct run *exec_start(struct execs *all, const struct run_request *q, const struct run_events *on,
                       void *owner, struct err *e)
{
        struct exec_run *x = xcalloc(1, sizeof(*x));

        x->all = all;
        x->child.end.fd = x->status.fd = -1;
        exec_streams_init(&x->streams, &x->run);
        x->alarm = alarm_create(all->loop, on_alarm, x);
        if (start_process(x, q, e) != 0 || init_handles(x, e) != 0) {
                child_reap(&x->child);
                exec_run_free(x);
                if (e->code == ERR_FULL)
                        runs_note_shortage(all->runs, "exec", e);
                return NULL;
        }

        run_begin(&x->run, all->runs, q, on, owner);
        DL_APPEND(all->running, x);
        for (size_t i = 0; i < EXEC_STREAMS; i++)
                polled_start(&x->streams.pipes[i], UV_READABLE, on_stream, x);
        polled_start(&x->status, UV_READABLE, on_status, x);
        polled_start(&x->child.end, UV_READABLE, on_end, x);
        /* Lets the launcher execute the program. Fails when the launcher has ended. */
        x->go_ahead_given = send(x->status.fd, "", 1, MSG_NOSIGNAL) == 1;
        alarm_set(x->alarm, q->timeout);
        return &x->run;
}

void exec_stop(struct run *run, msec grace)
{
        end_soon((struct exec_run *)run, RUN_STOPPED, grace);
}

void execs_destroy(struct execs **all)
{
        struct exec_run *x, *next;

        if (*all == NULL)
                return;
        DL_FOREACH ((*all)->running, x)
                child_kill(&x->child, SIGKILL);
        DL_FOREACH_SAFE ((*all)->running, x, next) {
                child_reap(&x->child);
                DL_DELETE((*all)->running, x);
                run_drop(&x->run);
                exec_run_free(x);
        }
        buffer_fini(&(*all)->scratch);
        free((*all)->launch_program);
        free(*all);
        *all = NULL;
}
