/* SPDX-License-Identifier: Apache-2.0
 *
 * launch.h: the protocol between warren-launch and its consumer.
 */
#pragma once

/* Descriptors of a launched program, besides stdin to stderr. LAUNCH_STATUS_FD is a socket, closed
 * by the exec. The launcher reads the go-ahead there, one byte, and writes what failed. If it ended
 * without reading the byte, the consumer gets EPIPE on writing or ECONNRESET on reading. */
enum { LAUNCH_PROGRESS_FD = 3, LAUNCH_STATUS_FD = 4, LAUNCH_FD_COUNT = 5 };

#define LAUNCH_STEPS(X) \
        X(LAUNCH_PARENT, "tie it to the consumer") \
        X(LAUNCH_DESCRIPTORS, "close inherited descriptors") \
        X(LAUNCH_FOLDER, "enter its folder") \
        X(LAUNCH_LIMITS, "set its limits") \
        X(LAUNCH_GO_AHEAD, "get the consumer's go-ahead") \
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
