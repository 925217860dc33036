/* SPDX-License-Identifier: Apache-2.0
 *
 * launch.h: what warren-launch and its consumer agree on.
 */
#ifndef WARREN_LAUNCH_LAUNCH_H
#define WARREN_LAUNCH_LAUNCH_H

/* Descriptors of a launched program; the last is closed when it starts. */
enum { LAUNCH_TALK_FD = 3, LAUNCH_STATUS_FD = 4, LAUNCH_FD_COUNT = 5 };

#define LAUNCH_STEPS(X) \
        X(LAUNCH_PARENT, "tie it to the consumer") \
        X(LAUNCH_DESCRIPTORS, "close what it must not inherit") \
        X(LAUNCH_FOLDER, "enter its folder") \
        X(LAUNCH_LIMITS, "set its limits") \
        X(LAUNCH_EXEC, "execute it")

enum launch_step {
#define X(step, text) step,
        LAUNCH_STEPS(X)
#undef X
};

struct launch_failure {
        enum launch_step step;
        int number; /* errno */
};

#endif
