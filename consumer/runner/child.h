/* SPDX-License-Identifier: Apache-2.0
 *
 * child.h: a process of ours: started with exactly the descriptors it shall have, in a process
 * group of its own, watched by a pidfd, killed and reaped as a group.
 *
 * posix_spawn and not uv_spawn: it does not copy the page tables of a consumer that holds its
 * window of jobs, and sets the group before the program runs; a pidfd tells of one child's end
 * without a SIGCHLD handler that would wait for others' children. Parent-death signals follow the
 * thread that spawned: the loop's, which lives as long as the consumer.
 */
#ifndef WARREN_CONSUMER_RUNNER_CHILD_H
#define WARREN_CONSUMER_RUNNER_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/err.h"
#include "consumer/runner/polled.h"

struct child {
        pid_t pid;         /* also its process group; 0: none, or reaped */
        struct polled end; /* a pidfd: readable when it has ended */
};

enum { CHILD_FDS_MAX = 8, CHILD_END_SIZE = 64 };

struct child_spec {
        const char *program;
        char *const *argv;
        char *const *env;
        const int *fds; /* become descriptors 0 … fd_count-1; the rest is closed on exec */
        size_t fd_count;
};

struct child_end {
        bool killed;
        int number; /* the signal, or the exit status */
};

/* ERR_FULL: the system has no room for it now. */
int child_spawn(const struct child_spec *s, struct child *out, struct err *e) MUST_CHECK;
/* Sends to the whole group. */
void child_kill(const struct child *c, int signal);
/* It has ended and can be reaped at once: asks the system, as an event may be another's. */
bool child_has_ended(const struct child *c);
/* Kills what is left of the group, then reaps the child, waiting for it if it still runs. Its
 * pidfd stays until polled_close. */
struct child_end child_reap(struct child *c);
/* "killed by SIGSEGV", "exited with status 3". */
const char *child_end_text(struct child_end end, char out[CHILD_END_SIZE]);
/* Both ends close on exec. ERR_FULL as above. */
int child_pipe(int *read_end, int *write_end, struct err *e) MUST_CHECK;

#endif
