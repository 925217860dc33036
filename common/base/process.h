/* SPDX-License-Identifier: Apache-2.0
 *
 * process.h: what a service changes of its own process, and what that was before: the programs it
 * starts for others get that back, as if they were started from where the service was.
 */
#ifndef WARREN_BASE_PROCESS_H
#define WARREN_BASE_PROCESS_H

#include <sys/resource.h>
#include <sys/types.h>

struct process_start {
        int scheduling; /* policy, as sched_getscheduler says it */
        mode_t umask;
        rlim_t open_files; /* the soft limit */
};

/* Once, before there are threads: fills `was`, then lets other threads run first, keeps the files
 * it makes to its own user, and raises the limit of open files as far as it may. */
void process_settle(struct process_start *was);

#endif
