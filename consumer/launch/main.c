/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-launch: sets limits on itself, then executes the program of an exec handler. It
 * already has from the consumer: a process group, default signals, stdin to stderr, descriptor 3
 * for progress, and the program's environment.
 *
 *      warren-launch PARENT AS_STARTED MEMORY FOLDER PROGRAM [ARGUMENT]…
 *
 * It waits for the consumer's go-ahead on descriptor 4, which the program does not inherit. When a
 * step fails it writes a struct launch_failure there.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "consumer/launch/as_started.h"
#include "consumer/launch/launch.h"

enum {
        ARGUMENT_PARENT = 1,
        ARGUMENT_AS_STARTED,
        ARGUMENT_MEMORY,
        ARGUMENT_FOLDER,
        ARGUMENT_PROGRAM
};

static int fail(enum launch_step step)
{
        struct launch_failure failure = {.step = step, .number = errno};

        /* When this write fails too, the exit status is all that is left. */
        return write(LAUNCH_STATUS_FD, &failure, sizeof(failure)) == sizeof(failure) ? 127 : 126;
}

static int limit(int resource, rlim_t value)
{
        struct rlimit l = {.rlim_cur = value, .rlim_max = value};

        return setrlimit(resource, &l);
}

/* The consumer may still find that it cannot watch this process: then the program must not run. */
static int await_go_ahead(void)
{
        char go_ahead;
        ssize_t got;

        do
                got = read(LAUNCH_STATUS_FD, &go_ahead, sizeof(go_ahead));
        while (got < 0 && errno == EINTR);
        if (got == 0)
                errno = EPIPE;
        return got > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
        if (argc <= ARGUMENT_PROGRAM) {
                fprintf(stderr, "warren-launch is started by warren-consumer\n");
                return 2;
        }

        long long memory = strtoll(argv[ARGUMENT_MEMORY], NULL, 10);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
            strtol(argv[ARGUMENT_PARENT], NULL, 10) != (long)getppid())
                return fail(LAUNCH_PARENT);
        if (fcntl(LAUNCH_STATUS_FD, F_SETFD, FD_CLOEXEC) != 0 ||
            close_range(LAUNCH_FD_COUNT, ~0U, 0) != 0)
                return fail(LAUNCH_DESCRIPTORS);
        if (chdir(argv[ARGUMENT_FOLDER]) != 0)
                return fail(LAUNCH_FOLDER);
        if (as_started_restore(argv[ARGUMENT_AS_STARTED]) != 0 || limit(RLIMIT_CORE, 0) != 0 ||
            (memory > 0 && limit(RLIMIT_AS, (rlim_t)memory) != 0))
                return fail(LAUNCH_LIMITS);
        if (await_go_ahead() != 0)
                return fail(LAUNCH_GO_AHEAD);
        execvp(argv[ARGUMENT_PROGRAM], &argv[ARGUMENT_PROGRAM]);
        return fail(LAUNCH_EXEC);
}
