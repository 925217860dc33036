/* SPDX-License-Identifier: Apache-2.0
 *
 * exec_streams.h: what a program writes: its result on stdout, complaints on stderr, progress and
 * retry_after as JSON lines on descriptor 3. A line there that means nothing is skipped. Progress
 * is told at once; all else is kept for the program's end. Loop thread only.
 */
#ifndef WARREN_CONSUMER_RUNNER_EXEC_STREAMS_H
#define WARREN_CONSUMER_RUNNER_EXEC_STREAMS_H

#include "consumer/runner/polled.h"
#include "consumer/runner/run.h"

enum exec_stream_kind { EXEC_OUTPUT, EXEC_COMPLAINT, EXEC_TALK };
enum { EXEC_STREAMS = 3 };

/* The pipes are their owner's to open, watch and close; the rest is exec_streams.c's. */
struct exec_streams {
        struct polled pipes[EXEC_STREAMS];
        struct run *run;         /* of which progress is told */
        struct buffer output;    /* the beginning of stdout: one byte more than a result may have */
        size_t output_total;     /* how much there was */
        struct buffer complaint; /* the tail of stderr */
        struct buffer line;      /* of descriptor 3, not yet whole */
        bool line_too_long;
        msec retry_after;
};

void exec_streams_init(struct exec_streams *s, struct run *run);
void exec_streams_fini(struct exec_streams *s);

/* One read, into `scratch`, which tells progress. How many bytes there were; 0 at the end, -1 when
 * there is nothing now. */
ssize_t exec_streams_hear(struct exec_streams *s, enum exec_stream_kind which,
                          struct buffer *scratch);
/* What is left in the pipes of a program that has ended, up to what they hold. */
void exec_streams_hear_rest(struct exec_streams *s, struct buffer *scratch);

struct bytes exec_streams_output(const struct exec_streams *s, size_t *total);
/* Of stderr, the last 8 KiB. */
struct bytes exec_streams_complaint(const struct exec_streams *s);
/* What the program asked for; 0: nothing. */
msec exec_streams_retry_after(const struct exec_streams *s);

#endif
