/* SPDX-License-Identifier: Apache-2.0
 *
 * child.c: spawns, kills and reaps.
 */
#include "consumer/runner/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/own.h"
#include "consumer/runner/shortage.h"

static int attributes(posix_spawnattr_t *a)
{
        sigset_t none, all;

        sigemptyset(&none);
        sigfillset(&all);
        int failed = posix_spawnattr_setflags(a, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                         POSIX_SPAWN_SETSIGDEF);
        if (failed == 0)
                failed = posix_spawnattr_setpgroup(a, 0);
        if (failed == 0)
                failed = posix_spawnattr_setsigmask(a, &none);
        if (failed == 0)
                failed = posix_spawnattr_setsigdefault(a, &all);
        return failed;
}

static int spawn(const struct child_spec *s, const int *fds, pid_t *pid)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t a;
        int failed = posix_spawn_file_actions_init(&actions);

        if (failed != 0)
                return failed;
        failed = posix_spawnattr_init(&a);
        if (failed == 0) {
                for (size_t i = 0; failed == 0 && i < s->fd_count; i++)
                        failed = posix_spawn_file_actions_adddup2(&actions, fds[i], (int)i);
                if (failed == 0)
                        failed = attributes(&a);
                if (failed == 0)
                        failed = posix_spawn(pid, s->program, &actions, &a, s->argv, s->env);
                posix_spawnattr_destroy(&a);
        }
        posix_spawn_file_actions_destroy(&actions);
        return failed;
}

static void close_all(int *fds, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                if (fds[i] >= 0)
                        close(fds[i]);
        }
}

/* Copies each descriptor that an earlier dup2 could overwrite to a high number; copies[i] is -1 for
 * the others. Needed only when the consumer was started with some first descriptors closed. */
static int lift(const struct child_spec *s, int *fds, int *copies, struct err *e)
{
        for (size_t i = 0; i < s->fd_count; i++) {
                copies[i] = -1;
                fds[i] = s->fds[i];
        }
        for (size_t i = 0; i < s->fd_count; i++) {
                if (fds[i] >= (int)s->fd_count || fds[i] == (int)i)
                        continue;
                copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, CHILD_FDS_MAX);
                if (copies[i] < 0)
                        return shortage_err(e, "cannot copy a descriptor");
                fds[i] = copies[i];
        }
        return 0;
}

int child_spawn(const struct child_spec *s, struct child *out, struct err *e)
{
        int fds[CHILD_FDS_MAX], copies[CHILD_FDS_MAX];
        pid_t pid = 0;

        if (lift(s, fds, copies, e) != 0) {
                close_all(copies, s->fd_count);
                return -1;
        }
        int failed = spawn(s, fds, &pid);
        close_all(copies, s->fd_count);
        if (failed != 0) {
                errno = failed;
                return shortage_err(e, "cannot start %s", s->program);
        }

        *out = (struct child){.pid = pid, .end.fd = pidfd_open(pid, 0)};
        if (out->end.fd < 0) {
                shortage_err(e, "cannot watch %s", s->program);
                child_kill(out, SIGKILL);
                child_reap(out);
                return -1;
        }
        return 0;
}

void child_kill(const struct child *c, int signal)
{
        if (c->pid > 0)
                kill(-c->pid, signal);
}

bool child_has_ended(const struct child *c)
{
        siginfo_t info = {0};

        return c->pid > 0 && waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid == c->pid;
}

struct child_end child_reap(struct child *c)
{
        int status = 0;

        if (c->pid <= 0)
                return (struct child_end){0};
        /* Until it is reaped, no other process can get its pid, and so its group's id. */
        child_kill(c, SIGKILL);
        while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
                continue;
        c->pid = 0;
        if (WIFSIGNALED(status))
                return (struct child_end){.killed = true, .number = WTERMSIG(status)};
        return (struct child_end){.number = WEXITSTATUS(status)};
}

const char *child_end_text(struct child_end end, char out[CHILD_END_SIZE])
{
        const char *name = end.killed ? sigabbrev_np(end.number) : NULL;

        if (!end.killed)
                snprintf(out, CHILD_END_SIZE, "exited with status %d", end.number);
        else if (name != NULL)
                snprintf(out, CHILD_END_SIZE, "killed by SIG%s", name);
        else
                snprintf(out, CHILD_END_SIZE, "killed by signal %d", end.number);
        return out;
}

int child_pipe(int *read_end, int *write_end, struct err *e)
{
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) != 0)
                return shortage_err(e, "cannot make a pipe");
        *read_end = ends[0];
        *write_end = ends[1];
        return 0;
}
