/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: warren-launch, which puts limits on itself and then becomes the program of an exec
 * handler. The consumer has already given it a process group, default signals, stdin to stderr,
 * descriptor 3 for progress, and the program's own environment.
 *
 *      warren-launch PARENT MEMORY FOLDER PROGRAM [ARGUMENT]…
 *
 * When it fails it writes a struct launch_failure to descriptor 4, which a program never sees.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "consumer/launch/launch.h"

enum { ARGUMENT_PARENT = 1, ARGUMENT_MEMORY, ARGUMENT_FOLDER, ARGUMENT_PROGRAM };

static int fail(enum launch_step step)
{
        struct launch_failure failure = {.step = step, .number = errno};

        /* Nobody is left to tell when this fails too. */
        return write(LAUNCH_STATUS_FD, &failure, sizeof(failure)) == sizeof(failure) ? 127 : 126;
}

static int limit(int resource, rlim_t value)
{
        struct rlimit l = {.rlim_cur = value, .rlim_max = value};

        return setrlimit(resource, &l);
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
        if (limit(RLIMIT_CORE, 0) != 0 || (memory > 0 && limit(RLIMIT_AS, (rlim_t)memory) != 0))
                return fail(LAUNCH_LIMITS);
        execvp(argv[ARGUMENT_PROGRAM], &argv[ARGUMENT_PROGRAM]);
        return fail(LAUNCH_EXEC);
}
