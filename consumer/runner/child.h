/* SPDX-License-Identifier: Apache-2.0
 *
 * child.h: a child process: started with exactly the given descriptors, in a process group of its
 * own, watched by a pidfd, killed and reaped as a group.
 *
 * It uses posix_spawn, not uv_spawn: posix_spawn does not copy the page tables of a consumer with
 * many jobs in memory, and sets the group before the program runs. It uses a pidfd, not SIGCHLD:
 * that handler would also reap other children. Spawn on the loop thread only: parent-death signals
 * are sent when the spawning thread ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/err.h"
#include "consumer/runner/polled.h"

struct child {
        pid_t pid;         /* also its process group's id; 0: none, or reaped */
        struct polled end; /* a pidfd, readable once the child has ended */
};

enum { CHILD_FDS_MAX = 8, CHILD_END_SIZE = 64 };

struct child_spec {
        const char *program;
        char *const *argv;
        char *const *env;
        const int *fds; /* become descriptors 0 to fd_count-1; all others must be close-on-exec */
        size_t fd_count;
};

struct child_end {
        bool killed;
        int number; /* the signal, or the exit status */
};

/* ERR_FULL: the system has no room for it now. */
int child_spawn(const struct child_spec *s, struct child *out, struct err *e) MUST_CHECK;
/* Sends the signal to the whole group. */
void child_kill(const struct child *c, int signal);
/* True: it can be reaped at once. Asks the system, as a loop event may be a stale one. */
bool child_has_ended(const struct child *c);
/* Kills the group, waits for the child and reaps it. Its pidfd stays open until polled_close. */
struct child_end child_reap(struct child *c);
/* "killed by SIGSEGV", "exited with status 3". */
const char *child_end_text(struct child_end end, char out[CHILD_END_SIZE]);
/* Both ends are close-on-exec. ERR_FULL as above. */
int child_pipe(int *read_end, int *write_end, struct err *e) MUST_CHECK;
