/* SPDX-License-Identifier: Apache-2.0
 *
 * process.h: sets up a service's process, and records what it was before: programs that the service
 * starts get those values back.
 */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

struct process_start {
        int scheduling; /* policy, of sched_getscheduler */
        mode_t umask;
        rlim_t open_files; /* soft limit */
};

/* Fills `was`, then sets scheduling to SCHED_BATCH, umask to 077 and the limit of open files to the
 * hard limit. Call once, before threads start. */
void process_set_up(struct process_start *was);
