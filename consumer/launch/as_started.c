/* SPDX-License-Identifier: Apache-2.0
 *
 * as_started.c: writes and reads the argument: policy:umask:files.
 */
#include "consumer/launch/as_started.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void as_started_write(const struct process_start *was, char out[AS_STARTED_SIZE])
{
        snprintf(out, AS_STARTED_SIZE, "%d:%o:%llu", was->scheduling, (unsigned)was->umask,
                 (unsigned long long)was->open_files);
}

static int restore_open_files(rlim_t soft)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
                return -1;
        limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
        return setrlimit(RLIMIT_NOFILE, &limit);
}

/* With posix_spawn of glibc 2.36 a child ignores the two signals that glibc reserves, when the
 * parent has handlers for them. glibc's sigaction refuses them, so this calls the kernel. */
static void reset_signals_of_libc(void)
{
        const char by_default[64] = {0}; /* the kernel's struct sigaction */

        for (int number = __SIGRTMIN; number < SIGRTMIN; number++)
                syscall(SYS_rt_sigaction, number, by_default, NULL, _NSIG / 8);
}

static bool take_number(const char **text, int base, char end, unsigned long long *out)
{
        char *after;

        errno = 0;
        *out = strtoull(*text, &after, base);
        if (errno != 0 || after == *text || *after != end)
                return false;
        *text = after + 1;
        return true;
}

int as_started_restore(const char *text)
{
        const struct sched_param none = {0};
        unsigned long long scheduling, mask, open_files;

        if (!take_number(&text, 10, ':', &scheduling) || !take_number(&text, 8, ':', &mask) ||
            !take_number(&text, 10, '\0', &open_files)) {
                errno = EINVAL;
                return -1;
        }
        reset_signals_of_libc();
        umask((mode_t)mask);
        /* The consumer changes only the usual policy, which takes no parameters. */
        if (sched_getscheduler(0) != (int)scheduling &&
            sched_setscheduler(0, (int)scheduling, &none) != 0)
                return -1;
        return restore_open_files((rlim_t)open_files);
}
