/* SPDX-License-Identifier: Apache-2.0
 *
 * launch.h: what warren-launch and its consumer agree on.
 */
#ifndef WARREN_LAUNCH_LAUNCH_H
#define WARREN_LAUNCH_LAUNCH_H

/* Descriptors of a launched program. The last is a socket that closes when the program starts: on
 * it the launcher waits for one byte, before it becomes the program, and tells what failed. A
 * launcher that ended without having taken the byte is known by that: writing says EPIPE, or
 * reading ECONNRESET. */
enum { LAUNCH_TALK_FD = 3, LAUNCH_STATUS_FD = 4, LAUNCH_FD_COUNT = 5 };

#define LAUNCH_STEPS(X) \
        X(LAUNCH_PARENT, "tie it to the consumer") \
        X(LAUNCH_DESCRIPTORS, "close what it must not inherit") \
        X(LAUNCH_FOLDER, "enter its folder") \
        X(LAUNCH_LIMITS, "set its limits") \
        X(LAUNCH_WORD, "hear from the consumer") \
        X(LAUNCH_EXEC, "execute it")

enum launch_step {
#define X(step, text) step,
        LAUNCH_STEPS(X)
#undef X
                LAUNCH_STEP_COUNT
};

struct launch_failure {
        enum launch_step step;
        int number; /* errno */
};

#endif
