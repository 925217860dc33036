/* SPDX-License-Identifier: Apache-2.0
 *
 * exec.c: handler kind `exec`: a program for each attempt, started through warren-launch.
 * The payload is a sealed file in memory on its stdin, so nobody has to feed it; stdout, stderr and
 * descriptor 3 are pipes that are read as they fill.
 */
#include "consumer/runner/exec_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>
#include <utlist.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/model/event.h"
#include "consumer/runner/text.h"

static void let_go(struct exec_run *x)
{
        if (--x->handles_open > 0)
                return;
        buffer_fini(&x->output);
        buffer_fini(&x->complaint);
        buffer_fini(&x->line);
        free(x);
}

static void on_handle_closed(uv_handle_t *handle)
{
        let_go(handle->data);
}

static void on_stream_closed(uv_handle_t *handle)
{
        const struct exec_stream *s = handle->data;

        let_go(s->owner);
}

/* Everything but the memory, which goes with the last handle. */
static void release(struct exec_run *x)
{
        for (size_t i = 0; i < EXEC_STREAMS; i++)
                watched_close(&x->streams[i].pipe, on_stream_closed);
        watched_close(&x->child.end, on_handle_closed);
        if (x->status >= 0)
                close(own_take_fd(&x->status));
        uv_close((uv_handle_t *)&x->timer, on_handle_closed);
}

static void on_timer(uv_timer_t *timer)
{
        struct exec_run *x = timer->data;

        if (x->run.ending == RUN_GOES_ON)
                exec_end_soon(x, RUN_TIMED_OUT, x->run.handler->grace);
        else
                child_kill(&x->child, SIGKILL);
}

void exec_end_soon(struct exec_run *x, enum run_ending why, msec grace)
{
        if (x->run.ending != RUN_GOES_ON)
                return;
        x->run.ending = why;
        child_kill(&x->child, why == RUN_FLOODED ? SIGKILL : SIGTERM);
        uv_update_time(x->run.runner->loop);
        uv_timer_start(&x->timer, on_timer, (uint64_t)grace, 0);
}

/* A refused allocation looks like any other failure; what a program says about it is all there is
 * to go by. */
static bool lacked_memory(const struct exec_run *x)
{
        static const char *const words[] = {"MemoryError", "bad_alloc", "out of memory",
                                            "Out of memory", "annot allocate memory"};

        if (x->run.handler->memory == 0 || x->complaint.data == NULL)
                return false;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                if (memmem(x->complaint.data, x->complaint.length, words[i], strlen(words[i])))
                        return true;
        }
        return false;
}

static void fails(struct exec_run *x, struct child_end end, struct run_end *out)
{
        struct bytes said = text_trim(buffer_bytes(&x->complaint));
        enum error_kind kind = lacked_memory(x) ? ERROR_KIND_MEMORY
                               : end.killed     ? ERROR_KIND_CRASH
                                                : ERROR_KIND_ERROR;
        char how[CHILD_END_SIZE] = "";

        if (end.killed || said.length == 0)
                child_end_text(end, how);
        run_fails_saying(&x->run, out, kind, how, said);
}

static void judge_exit(struct exec_run *x, struct child_end end, struct run_end *out)
{
        struct buffer *text = &x->run.runner->text;

        if (end.killed || end.number != EX_OK) {
                fails(x, end, out);
                if (!end.killed &&
                    (end.number == EX_USAGE || end.number == EX_DATAERR || end.number == EX_CONFIG))
                        out->outcome = OUTCOME_PERMANENT;
                else
                        out->retry_after = x->retry_after;
                return;
        }
        out->outcome = OUTCOME_DONE;
        buffer_clear(text);
        if (text_to_result(buffer_bytes(&x->output), x->output_total, EVENT_RESULT_MAX, text))
                out->result = buffer_bytes(text);
}

static void judge(struct exec_run *x, struct child_end end, struct run_end *out)
{
        struct buffer text = {0};

        switch (x->run.ending) {
        case RUN_GOES_ON:
                judge_exit(x, end, out);
                break;
        case RUN_TIMED_OUT:
                run_fails_by_timeout(&x->run, out, buffer_bytes(&x->complaint));
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

/* True when warren-launch could not become the program; it says so on its last descriptor. */
static bool launch_failed(struct exec_run *x, struct run_end *out)
{
        static const char *const steps[] = {
#define X(step, words) [step] = words,
                LAUNCH_STEPS(X)
#undef X
        };
        struct launch_failure failure;
        char reason[128];
        AUTO_BUFFER text = {0};

        if (read(x->status, &failure, sizeof(failure)) != sizeof(failure) ||
            (size_t)failure.step >= sizeof(steps) / sizeof(steps[0]))
                return false;
        buffer_printf(&text, "cannot start %.200s: cannot %s: %s", x->run.handler->exec[0],
                      steps[failure.step], strerror_r(failure.number, reason, sizeof(reason)));
        run_fails(&x->run, out, ERROR_KIND_ERROR, buffer_bytes(&text));
        return true;
}

static void on_end(uv_poll_t *poll, int status, int events)
{
        struct exec_run *x = poll->data;
        struct run_end end = {0};

        (void)status;
        (void)events;
        if (!child_has_ended(&x->child))
                return;
        /* The group first: what lives on there could write for ever. */
        child_kill(&x->child, SIGKILL);
        for (size_t i = 0; i < EXEC_STREAMS; i++)
                exec_hear_rest(&x->streams[i]);

        struct child_end child_end = child_reap(&x->child);
        if (x->run.ending == RUN_STOPPED || !launch_failed(x, &end))
                judge(x, child_end, &end);
        DL_DELETE(x->run.runner->execs, x);
        release(x);
        run_finish(&x->run, &end);
}

/* The payload as a file that can be read, sought and mapped, and not changed. */
static int payload_file(struct bytes payload, struct err *e)
{
        AUTO_CLOSE int fd = memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return err_set_errno(e, "cannot make a file for the payload");
        for (size_t done = 0; done < payload.length;) {
                ssize_t wrote = write(fd, payload.data + done, payload.length - done);
                if (wrote < 0)
                        return err_set_errno(e, "cannot write the payload");
                done += (size_t)wrote;
        }
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0 ||
            lseek(fd, 0, SEEK_SET) != 0)
                return err_set_errno(e, "cannot seal the payload");
        return own_take_fd(&fd);
}

static int launch(struct exec_run *x, const struct run_request *q, const int fds[LAUNCH_FD_COUNT],
                  struct err *e)
{
        const struct handler *h = q->handler;
        AUTO(exec_command) command =
                exec_command_create(q, x->run.runner->launch_program, clock_wall() + q->timeout);
        const struct child_spec spec = {
                .program = x->run.runner->launch_program,
                .argv = exec_command_argv(command),
                .env = exec_command_env(command),
                .fds = fds,
                .fd_count = LAUNCH_FD_COUNT,
        };

        return child_spawn(&spec, &x->child, e) == 0 ? 0 : err_wrap(e, "type %s", h->type);
}

/* Makes the pipes and the process; what the child has of them is closed here. */
static int start_process(struct exec_run *x, const struct run_request *q, struct err *e)
{
        AUTO_CLOSE int payload = payload_file(q->job->payload, e);
        AUTO_CLOSE int out = -1;
        AUTO_CLOSE int complaint = -1;
        AUTO_CLOSE int talk = -1;
        AUTO_CLOSE int status = -1;

        if (payload < 0 || child_pipe(&x->streams[EXEC_OUTPUT].pipe.fd, &out, e) != 0 ||
            child_pipe(&x->streams[EXEC_COMPLAINT].pipe.fd, &complaint, e) != 0 ||
            child_pipe(&x->streams[EXEC_TALK].pipe.fd, &talk, e) != 0 ||
            child_pipe(&x->status, &status, e) != 0)
                return -1;
        if (fcntl(x->status, F_SETFL, O_NONBLOCK) != 0)
                return err_set_errno(e, "cannot set up a pipe");

        const int fds[LAUNCH_FD_COUNT] = {payload, out, complaint, talk, status};
        return launch(x, q, fds, e);
}

static int init_handles(struct exec_run *x, struct err *e)
{
        uv_loop_t *loop = x->run.runner->loop;

        for (size_t i = 0; i < EXEC_STREAMS; i++) {
                if (watched_init(&x->streams[i].pipe, loop, &x->streams[i], e) != 0)
                        return -1;
                x->handles_open++;
        }
        if (watched_init(&x->child.end, loop, x, e) != 0)
                return -1;
        x->handles_open++;
        return 0;
}

bool exec_has_room(const struct runner *r, const struct handler *h)
{
        (void)r;
        (void)h;
        return true;
}

static struct exec_run *exec_create(struct runner *r)
{
        struct exec_run *x = xcalloc(1, sizeof(*x));

        x->run.runner = r;
        x->child.end.fd = x->status = -1;
        for (size_t i = 0; i < EXEC_STREAMS; i++) {
                x->streams[i].pipe.fd = -1;
                x->streams[i].owner = x;
                x->streams[i].which = (enum exec_stream_kind)i;
        }
        uv_timer_init(r->loop, &x->timer);
        x->timer.data = x;
        x->handles_open = 1;
        return x;
}

struct run *exec_start(struct runner *r, const struct run_request *q, const struct run_events *on,
                       void *owner, struct err *e)
{
        struct exec_run *x = exec_create(r);

        if (start_process(x, q, e) != 0 || init_handles(x, e) != 0) {
                child_reap(&x->child);
                release(x);
                return NULL;
        }

        run_begin(&x->run, r, q, on, owner);
        DL_APPEND(r->execs, x);
        for (size_t i = 0; i < EXEC_STREAMS; i++)
                watched_start(&x->streams[i].pipe, UV_READABLE, exec_on_stream);
        watched_start(&x->child.end, UV_READABLE, on_end);
        uv_update_time(r->loop);
        uv_timer_start(&x->timer, on_timer, (uint64_t)q->timeout, 0);
        return &x->run;
}

void exec_stop(struct run *run, msec grace)
{
        exec_end_soon((struct exec_run *)run, RUN_STOPPED, grace);
}

void execs_destroy(struct runner *r)
{
        struct exec_run *x, *next;

        DL_FOREACH (r->execs, x)
                child_kill(&x->child, SIGKILL);
        DL_FOREACH_SAFE (r->execs, x, next) {
                child_reap(&x->child);
                DL_DELETE(r->execs, x);
                release(x);
                run_drop(&x->run);
        }
}
