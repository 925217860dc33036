/* SPDX-License-Identifier: Apache-2.0
 *
 * exec_run.h: one program at work for an exec handler: for exec.c (its life), exec_streams.c
 * (what it writes) and exec_command.c (its arguments and environment). Loop thread only.
 */
#ifndef WARREN_CONSUMER_RUNNER_EXEC_RUN_H
#define WARREN_CONSUMER_RUNNER_EXEC_RUN_H

#include <uv.h>

#include "consumer/launch/launch.h"
#include "consumer/runner/child.h"
#include "consumer/runner/parts.h"

enum exec_stream_kind { EXEC_OUTPUT, EXEC_COMPLAINT, EXEC_TALK };
enum { EXEC_STREAMS = 3 };

enum {
        EXEC_COMPLAINT_MAX = 8192, /* the tail of stderr: the error, and white space after it */
        EXEC_LINE_MAX = 8192,      /* of one line on descriptor 3; longer ones are skipped */
};

struct exec_run;

struct exec_stream {
        struct watched pipe;
        enum exec_stream_kind which;
        struct exec_run *owner;
};

enum exec_launch {
        EXEC_LAUNCHING,
        EXEC_LAUNCHED, /* the program runs, or has run */
        EXEC_REFUSED,  /* the launcher could not become the program, and told why */
        EXEC_LOST,     /* the launcher ended before it was one */
};

struct exec_run {
        struct run run;
        struct exec_run *prev, *next;
        struct child child;
        struct exec_stream streams[EXEC_STREAMS];
        struct watched status; /* the socket of warren-launch, until it tells how it went */
        enum exec_launch launch;
        bool word_given;
        struct launch_failure failure;
        uv_timer_t timer; /* timeout, then grace */
        unsigned handles_open;
        struct buffer output;    /* the beginning of stdout: one byte more than a result may have */
        size_t output_total;     /* how much there was */
        struct buffer complaint; /* the tail of stderr */
        struct buffer line;      /* of descriptor 3, not yet whole */
        bool line_too_long;
        msec retry_after;
};

/* SIGTERM (SIGKILL when it floods), and SIGKILL after `grace`. Nothing when it ends already. */
void exec_end_soon(struct exec_run *x, enum run_ending why, msec grace);

/* What the launcher has told, if it has and was not heard yet: that it is the program comes before
 * what that says. */
void exec_hear_launch(struct exec_run *x);

/* One read a turn. */
void exec_on_stream(uv_poll_t *poll, int status, int events);
/* What is left in a pipe whose program has ended, up to what it holds. */
void exec_hear_rest(struct exec_stream *s);

struct exec_command;

/* Arguments for warren-launch and the program, and the program's environment. */
struct exec_command *exec_command_create(const struct run_request *q, const struct runner *r,
                                         msec deadline);
void exec_command_destroy(struct exec_command **c);
char *const *exec_command_argv(const struct exec_command *c);
char *const *exec_command_env(const struct exec_command *c);

#endif
